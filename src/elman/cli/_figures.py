"""Tables of figures, shown to a person."""

from collections.abc import Mapping, Sequence
from typing import Any
from unicodedata import combining, east_asian_width

from elman.cli._wording import printable

__all__ = ["columns", "figures_table"]


def figures_table(figures: Mapping[str, Mapping[str, Any]], each: str, counted: str) -> str:
    """Return a table of ``precision``, ``recall``, ``f1`` and ``support``.

    Args:
        figures: those of each, by its name.
        each: what each is.
        counted: what the support counts.
    """
    rows = [[each, "precision", "recall", "F1", counted]]
    for name, of in figures.items():
        shares = (f"{of[key]:.4f}" for key in ("precision", "recall", "f1"))
        rows.append([printable(name), *shares, f"{of['support']:,}"])
    return columns(rows)


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as lines: names to the left of the first column, numbers to the right of all others."""
    widths = [max(map(_cells, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        gaps = [" " * (width - _cells(cell)) for cell, width in zip(row, widths, strict=True)]
        numbers = (gap + cell for gap, cell in zip(gaps[1:], row[1:], strict=True))
        lines.append("  ".join([row[0] + gaps[0], *numbers]))
    return "\n".join(lines)


def _cells(text: str) -> int:
    """Return the cells of a terminal that a text takes: two for each character of Chinese, none for an accent."""
    return sum(2 if east_asian_width(c) in "WF" else not combining(c) for c in text)
