"""Figures for people: how they are written, and which of them rest on too little."""

import re
from collections.abc import Mapping

__all__ = ["ENOUGH", "counted", "few", "figure", "scores", "size", "worded"]

ENOUGH = 50  # examples: on fewer, a score is off by some 0.1 or more by chance alone


def figure(value: float) -> str:
    """Return a score, an error or a loss of any size in a few characters."""
    size = abs(value)
    if size >= 1e6 or 0 < size < 1e-3:
        return f"{value:.2e}"
    return f"{value:.{2 if size >= 100 else 4}f}"


def worded(name: str) -> str:
    """Return the name of a figure as people write it: ``validation_mae`` is ``validation MAE``."""
    return re.sub(r"\b(mae|f1)\b", lambda found: found[0].upper(), name.replace("_", " "))


def scores(figures: Mapping[str, float]) -> str:
    """Say what was measured on the validation part; nothing if nothing was."""
    prefix = "validation_"
    said = [f"{worded(name.removeprefix(prefix))} {figure(value)}" for name, value in figures.items()]
    return f"validation {', '.join(said)}" if said else ""


def few(count: int, example: str, enough: int = ENOUGH) -> str:
    """Return words for beside a figure that rests on few examples, such as ``only 2 texts``; none if on enough."""
    return "" if count >= enough else f"only {counted(count, example)}"


def counted(count: int, noun: str) -> str:
    """Return ``1 text``, ``2 texts``, ``1,000 texts``."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def size(count: int) -> str:
    """Return how large a file of so many bytes is."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"
