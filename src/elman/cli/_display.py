"""What a person sees of a training run: a progress bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from elman.cli._wording import scores
from elman.tasks._processes import is_main_process
from elman.tasks._run import EpochRecord, Observer, Progress

__all__ = ["Watching", "observer"]


class Watching(Observer):
    """Prints a line for each notice and each epoch."""

    def __init__(self) -> None:
        self.epochs = self.steps = 0

    def say(self, text: str) -> None:
        print(text, flush=True)

    def stop(self) -> None:
        """Leave the terminal as it was."""

    def notice(self, text: str) -> None:
        self.say(text)

    def began(self, progress: Progress, epochs: int, steps: int) -> None:
        self.epochs, self.steps = epochs, steps
        if progress.epochs or progress.steps:
            self.say(f"going on after epoch {progress.epochs}, step {progress.steps}")

    def epoch_ended(self, record: EpochRecord, best: bool) -> None:
        parts = [f"epoch {record.epoch:>2}/{self.epochs}", f"loss {record.loss:.4f}", scores(record.scores)]
        parts += [f"{record.seconds:.1f} s", "kept" if best and record.scores else ""]
        self.say("  ".join(part for part in parts if part))


class Silent(Watching):
    """Says nothing."""

    def say(self, text: str) -> None:
        pass


class Bar(Watching):
    """Draws a progress bar below the lines."""

    def __init__(self) -> None:
        super().__init__()
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
        if progress.history:
            self.score = main_score(progress.history[-1])

    def stepped(self, epoch: int, step: int, loss: float, examples: int) -> None:
        self.run_examples += examples
        self.run_steps += 1
        elapsed = time.monotonic() - self.began_at
        left = elapsed / self.run_steps * (self.steps * (self.epochs - epoch + 1) - step)
        speed = self.run_examples / max(elapsed, 1e-3)
        parts = [
            f"loss {loss:.3f}",
            self.score,
            f"{speed:,.0f} sequences/s",
            clock(left),
        ]
        self.bar.update(
            self.task,
            completed=(epoch - 1) * self.steps + step,
            description=f"epoch {epoch}/{self.epochs}",
            figures=" · ".join(part for part in parts if part),
        )

    def epoch_ended(self, record: EpochRecord, best: bool) -> None:
        super().epoch_ended(record, best)
        self.score = main_score(record)


def main_score(record: EpochRecord) -> str:
    """Return the first score on the validation part that is no loss."""
    figures = [(name, value) for name, value in record.scores.items() if not name.endswith("loss")]
    return "".join(f"{name.removeprefix('validation_').replace('_', ' ')} {value:.4f}" for name, value in figures[:1])


def clock(seconds: float) -> str:
    """Say how long is left at most; training may stop early."""
    minutes, seconds = divmod(int(seconds + 0.5), 60)
    return (
        f"≤ {minutes // 60}:{minutes % 60:02}:{seconds:02} left" if minutes >= 60 else f"≤ {minutes}:{seconds:02} left"
    )


@contextmanager
def observer() -> Iterator[Watching]:
    """Return what suits standard output; of several processes that train together, one speaks."""
    watching = Silent() if not is_main_process() else Bar() if sys.stdout.isatty() else Watching()
    try:
        yield watching
    finally:
        watching.stop()
