"""What a person sees of a training run: a progress bar on a terminal, plain lines elsewhere."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from elman._figures import figure, worded
from elman.tasks._processes import is_main_process
from elman.tasks._run import EpochRecord, Observer, Progress

__all__ = ["Lines", "main_score", "screen"]

RARER = 1.2  # times the epoch that had the last line: 100 that do ever better have 19 lines


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


def main_score(record: EpochRecord) -> str:
    """Return the first score on the validation part that is no loss; the loss if there is no such part."""
    figures = {name: value for name, value in record.scores.items() if not name.endswith("loss")}
    name, value = next(iter(figures.items()), ("loss", record.loss))
    return f"{worded(name.removeprefix('validation_'))} {figure(value)}"


@contextmanager
def screen(every: bool) -> Iterator[Observer]:
    """Yield what suits standard output; of several processes that train together, one speaks."""
    if not is_main_process():
        yield Observer()
        return
    drawn = sys.stdout.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
    if drawn:
        from elman.tasks._bar import Bar

        lines: Lines = Bar(every)
    else:
        lines = Lines(every)
    try:
        yield lines
    finally:
        lines.stop()


def _heads(record: EpochRecord) -> list[str]:
    """Return the heads of the scores' columns, the first of which says what they were measured on."""
    names = [worded(name) for name in record.scores]
    return [*names[:1], *(name.removeprefix("validation ").rjust(8) for name in names[1:])]
