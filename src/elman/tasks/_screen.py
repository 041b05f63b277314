"""What a person sees of a training run: a progress bar on a terminal, plain lines elsewhere."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from elman._figures import figure, worded
from elman.tasks._processes import is_main_process
from elman.tasks._run import EpochRecord, Observer, Progress

__all__ = ["Bar", "Lines", "screen"]

RARER = 1.2  # times the epoch that had the last line: 100 that do ever better have 19 lines
WIDE = 100  # columns, on which the speed has room as well


class Lines(Observer):
    """Prints a line for each notice, and one for an epoch that did better, less often as the run goes on.

    Args:
        every: whether every epoch has its line.
    """

    def __init__(self, every: bool) -> None:
        self.every = every
        self.epochs = self.steps = 0

    def say(self, text: str) -> None:
        print(text, flush=True)

    def stop(self) -> None:
        """Leave the terminal as it was."""

    def notice(self, text: str) -> None:
        self.say(text)

    def began(self, progress: Progress, epochs: int, steps: int) -> None:
        self.epochs, self.steps = epochs, steps
        self.last, self.said = 0, ""  # the last epoch that has a line, and its score
        self.widths: list[int] = []
        if progress.epochs or progress.steps:
            self.say(f"going on after epoch {progress.epochs}, step {progress.steps}")

    def epoch_ended(self, record: EpochRecord, best: bool) -> None:
        said, due = main_score(record), record.epoch >= RARER * self.last
        if not (self.every or (best and due and said != self.said)):
            return
        self.last, self.said = record.epoch, said
        if not self.widths:
            heads = ["epoch".rjust(2 * len(str(self.epochs)) + 1), "loss".rjust(8), *_heads(record), "seconds"]
            self.widths = list(map(len, heads))
            self.say("  ".join(heads))
        figures = map(figure, (record.loss, *record.scores.values()))
        cells = [f"{record.epoch}/{self.epochs}", *figures, f"{record.seconds:.1f}"]
        row = "  ".join(cell.rjust(width) for cell, width in zip(cells, self.widths, strict=True))
        self.say(row + "  kept" * (self.every and best and bool(record.scores)))


class Bar(Lines):
    """Draws a progress bar below the lines."""

    def __init__(self, every: bool) -> None:
        super().__init__(every)
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self.bar = Progress(
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

    def began(self, progress: Progress, epochs: int, steps: int) -> None:
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

    def ended(self, progress: Progress) -> None:
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


def main_score(record: EpochRecord) -> str:
    """Return the first score on the validation part that is no loss; the loss if there is no such part."""
    figures = {name: value for name, value in record.scores.items() if not name.endswith("loss")}
    name, value = next(iter(figures.items()), ("loss", record.loss))
    return f"{worded(name.removeprefix('validation_'))} {figure(value)}"


def clock(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds + 0.5), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}" if minutes >= 60 else f"{minutes}:{seconds:02}"


@contextmanager
def screen(every: bool) -> Iterator[Observer]:
    """Yield what suits standard output; of several processes that train together, one speaks."""
    if not is_main_process():
        yield Observer()
        return
    drawn = sys.stdout.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
    lines = Bar(every) if drawn else Lines(every)
    try:
        yield lines
    finally:
        lines.stop()


def _heads(record: EpochRecord) -> list[str]:
    """Return the heads of the scores' columns, the first of which says what they were measured on."""
    names = [worded(name) for name in record.scores]
    return [*names[:1], *(name.removeprefix("validation ").rjust(8) for name in names[1:])]
