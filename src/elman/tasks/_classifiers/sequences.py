"""Sequences of numbers as a file holds them."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["Sequences", "parse_value"]

MISSING = {"", "?", "na", "nan", "null"}


@dataclass(frozen=True)
class Sequences:
    """Sequences, their labels, and what the file calls them.

    Attributes:
        values: (steps, channels) of each, float64; NaN where a value is missing.
        labels: of each; None: the file has none.
        names: of each, to tell it by: its identifier in a table, else its number, from 1.
        places: where in the file each begins, for messages.
        channels: their names; None: the file gives none.
        decimal: of a table, what stands before decimals, ``point`` or ``comma``; None: nothing says.
        notices: what a person may want to know of the reading, a line each.
    """

    values: list[NDArray[np.float64]]
    labels: list[str] | None
    names: list[str] | list[int]
    places: list[str]
    channels: list[str] | None = None
    decimal: str | None = None
    notices: list[str] = field(default_factory=list)


def parse_value(text: str) -> float:
    """Return a number, NaN where it is missing.

    Raises:
        ValueError: it is no finite number.
    """
    text = text.strip()
    if text.lower() in MISSING:
        return np.nan
    value = float(text)
    if not np.isfinite(value) or "_" in text:  # Python reads 1_000 as a number
        raise ValueError(text)
    return value
