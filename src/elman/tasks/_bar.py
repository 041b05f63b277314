"""A progress bar below the lines, on a terminal."""

import time
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.progress import BarColumn, Progress, TextColumn

from elman._figures import figure
from elman.tasks._run import EpochRecord
from elman.tasks._run import Progress as RunProgress
from elman.tasks._screen import Lines, main_score

__all__ = ["Bar"]

WIDE = 100  # columns, on which the speed has room as well
SPARE = 2  # columns, for ^C: beyond the last it would begin a line, and the bar stay above


@dataclass
class _Narrower:
    """What is drawn in all columns but the last."""

    drawn: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from console.render(self.drawn, options.update_width(max(1, options.max_width - SPARE)))


class _ProgressBar(Progress):
    def get_renderable(self) -> RenderableType:
        return _Narrower(super().get_renderable())


class Bar(Lines):
    """Draws a progress bar below the lines."""

    def __init__(self, every: bool) -> None:
        super().__init__(every)
        self.bar = _ProgressBar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[figures]}"),
            console=Console(highlight=False, emoji=False),
            transient=True,
            refresh_per_second=8,
        )
        self.task = self.bar.add_task("preparing", total=None, figures="")
        self.bar.start()
        self.began_at = time.monotonic()
        self.run_examples = self.run_steps = 0
        self.score = ""

    def say(self, text: str) -> None:
        self.bar.console.print(text, markup=False)

    def stop(self) -> None:
        self.bar.stop()

    def began(self, progress: RunProgress, epochs: int, steps: int) -> None:
        super().began(progress, epochs, steps)
        done = progress.epochs * steps + progress.steps
        self.bar.update(self.task, total=epochs * steps, completed=done, description="training")
        self.began_at = time.monotonic()
        if progress.history and progress.history[-1].scores:
            self.score = main_score(progress.history[-1])

    def stepped(self, epoch: int, step: int, loss: float, examples: int) -> None:
        self.run_examples += examples
        self.run_steps += 1
        elapsed = time.monotonic() - self.began_at
        left = elapsed / self.run_steps * (self.steps * (self.epochs - epoch + 1) - step)
        speed = f"{self.run_examples / max(elapsed, 1e-3):,.0f} sequences/s"
        parts = [
            f"loss {figure(loss)}",
            self.score,
            speed if self.bar.console.width >= WIDE else "",
            f"≤ {clock(left)} left",  # at most: training may stop early
        ]
        self.bar.update(
            self.task,
            completed=(epoch - 1) * self.steps + step,
            description=f"epoch {epoch}/{self.epochs}",
            figures=" · ".join(part for part in parts if part),
        )

    def epoch_ended(self, record: EpochRecord, best: bool) -> None:
        super().epoch_ended(record, best)
        if record.scores:
            self.score = main_score(record)

    def ended(self, progress: RunProgress) -> None:
        best = progress.history[progress.best_epoch - 1]
        took = clock(sum(record.seconds for record in progress.history))
        self.bar.update(
            self.task,
            total=1,
            completed=1,
            description=f"{progress.epochs} epoch{'s' * (progress.epochs > 1)}",
            figures=f"{main_score(best)} · {took}",
        )
        self.bar.live.transient = False  # the bar stays, full
        self.bar.stop()


def clock(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds + 0.5), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}" if minutes >= 60 else f"{minutes}:{seconds:02}"
