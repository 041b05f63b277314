"""Series of numbers at steps of one length, gaps included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from elman._errors import InputError
from elman.runtime._arrays import Array
from elman.runtime._forecaster.calendar import TimeGrid, find_grid, on_grid, parse_times

__all__ = ["GREATEST", "Series", "Windows", "as_series"]

GREATEST = 1e100  # value: its square is a number too
MOST_DUPLICATES = 0.01  # of the rows: such as the hour that clocks repeat in autumn
MOST_MISSING = 20  # steps for each row, beyond which the steps found are taken for wrong


@dataclass(frozen=True)
class Series:
    """Numbers at steps of one length.

    Attributes:
        names: of the columns.
        values: (steps, columns) float64; NaN where a value is missing.
        grid: when the steps are.
        notices: what was done to the rows, a line each.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    grid: TimeGrid = field(default_factory=TimeGrid)
    notices: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.values)


class Windows:
    """Looks back from a step of a series, at nothing but what was known there.

    A missing value is interpolated between the known ones around it, or, where none is known yet after it, the last one
    known.

    Args:
        values: (steps, columns), NaN where missing; each column has a known value.
    """

    def __init__(self, values: Array) -> None:
        self.observed = np.isfinite(values)
        steps = np.arange(len(values))
        self.filled: Array = np.empty(values.shape)
        for column, known in enumerate(self.observed.T):
            self.filled[:, column] = np.interp(steps, steps[known], values[known, column])
        self._last_known = np.maximum.accumulate(np.where(self.observed, steps[:, None], 0))

    def before(self, origins: NDArray[np.int64], length: int) -> NDArray[np.float64]:
        """Return the last values, (origins, length, columns), before each of the steps."""
        places = origins[:, None] + np.arange(-length, 0)
        columns = self.filled.shape[1]
        windows = np.empty((len(origins), length, columns))
        for column in range(columns):
            known = np.minimum(places, self._last_known[origins - 1, column][:, None])
            windows[:, :, column] = self.filled[known, column]
        return windows

    def missing_before(self, origins: NDArray[np.int64], length: int) -> NDArray[np.bool_]:
        """Return which of those values, (origins, length, columns), are none of the series' own."""
        missing: NDArray[np.bool_] = ~self.observed[origins[:, None] + np.arange(-length, 0)]
        return missing


def as_series(
    names: Sequence[str],
    values: Array,
    times: Sequence[str] | None,
    place: str = "times",
    lines: Sequence[int] | None = None,
    known: TimeGrid | None = None,
) -> Series:
    """Put rows onto steps of one length.

    Args:
        names: of the columns.
        values: (rows, columns), NaN where missing.
        times: of each row, as a person writes them; None: the rows are the steps.
        place, lines: what messages call the column of the times, and each row's line.
        known: the grid of a model, which they are put on if they all lie on it; None: it is found.

    Raises:
        InputError: a time cannot be read, is there more than once, or lies off the steps of all others.
    """
    if times is None:
        return Series(tuple(names), values)
    form, read = parse_times(times, place, lines)
    order = np.argsort(np.array(read), kind="stable")
    notices = [] if (np.diff(read) >= 0).all() else ["the rows were not in the order of their times and were sorted"]
    ordered = [read[i] for i in order.tolist()]
    grid, steps = (on_grid(known, form, ordered) if known else None) or find_grid(form, ordered)
    if steps[-1] >= MOST_MISSING * len(steps) + 1000:
        wanted = f"{place}: expected times at steps of one length, most of them present"
        raise InputError(f"{wanted}, got {len(steps):,} rows over {steps[-1] + 1:,} steps of {grid.describe()}")
    _check_duplicates([times[i] for i in order.tolist()], steps, place, order, lines)
    placed = _mean_of_each(np.array(steps), values[order], steps[-1] + 1)
    notices += _notices(grid, np.array(steps), [read[i] for i in order.tolist()])
    return Series(tuple(names), placed, grid, notices)


def _check_duplicates(
    times: list[str], steps: list[int], place: str, order: NDArray[np.int64], lines: Sequence[int] | None
) -> None:
    again = [i for i in range(1, len(steps)) if steps[i] == steps[i - 1] and times[i] == times[i - 1]]
    if len(again) > MOST_DUPLICATES * len(steps):
        number = int(order[again[0]])
        where = f"{place}[{number}]" if lines is None else f"{place}, line {lines[number]}"
        raise InputError(f"{where}: expected times that differ, got {times[again[0]]} again")


def _mean_of_each(steps: NDArray[np.int64], values: Array, count: int) -> NDArray[np.float64]:
    known = np.isfinite(values)
    totals, counts = np.zeros((count, values.shape[1])), np.zeros((count, values.shape[1]))
    np.add.at(totals, steps, np.where(known, values, 0.0))
    np.add.at(counts, steps, known)
    return np.divide(totals, counts, out=np.full_like(totals, np.nan), where=counts > 0)


def _notices(grid: TimeGrid, steps: NDArray[np.int64], read: list[int]) -> list[str]:
    notices = []
    if absent := int(steps[-1]) + 1 - len(np.unique(steps)):
        notices.append(f"{absent:,} of {int(steps[-1]) + 1:,} steps ({grid.describe()} each) have no row")
    if repeated := len(steps) - len(np.unique(steps)):
        notices.append(f"{repeated:,} rows fall on a step that has one already; their mean was taken")
    if grid.unit == "second" and (off := sum((value - grid.first) % grid.step != 0 for value in read)):
        notices.append(f"{off:,} times lie between the steps and were moved to the nearest")
    return notices
