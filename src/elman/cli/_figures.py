"""Precision, recall and F1 of each of several things, shown to a person."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from elman.cli._wording import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["console", "figures_table"]


def console() -> Console:
    """Return standard output, as wide as it takes where it is no terminal."""
    from rich.console import Console

    return Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else 1000)


def figures_table(figures: Mapping[str, Mapping[str, Any]], each: str, counted: str) -> Table:
    """Return a table of ``precision``, ``recall``, ``f1`` and ``support``.

    Args:
        figures: those of each, by its name.
        each: what each is.
        counted: what the support counts.
    """
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in (each, "precision", "recall", "F1", counted):
        table.add_column(column, justify="left" if column == each else "right")
    for name, of in figures.items():
        shares = (f"{of[key]:.4f}" for key in ("precision", "recall", "f1"))
        table.add_row(escape(printable(name)), *shares, f"{of['support']:,}")
    return table
