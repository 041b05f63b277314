"""Series of numbers at steps of one length, gaps included."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman._errors import InputError, shown
from elman.runtime._arrays import Array
from elman.runtime._forecaster.calendar import PERIODS, TimeGrid
from elman.runtime._forecaster.dates import order_of
from elman.runtime._forecaster.forms import HOUR, written
from elman.runtime._forecaster.placing import Placed
from elman.runtime._forecaster.steps import find_steps, on_steps
from elman.runtime._forecaster.times import COMPACT, ZERO, Times, as_dates, rather_dates, readings, unclear_order, usual

__all__ = ["GREATEST", "Series", "Windows", "as_series"]

GREATEST = 1e100  # value: its square is a number too
MOST_DUPLICATES = 0.01  # of the rows: such as the hour that clocks repeat in autumn
MOST_ABSENT = 0.2  # of the steps, for day and month to be told apart by them
MOST_MISSING = 20  # steps for each row, beyond which the steps found are taken for wrong
ENDS_A_DAY = re.compile(r".*[ T]24(?::?00){1,2}(?:\.0*)?\b").match
READ_AS = {"D": "serial days of a spreadsheet", "s": "Unix time"}


@dataclass(frozen=True)
class Series:
    """Numbers at steps of one length.

    Attributes:
        names: of the columns.
        values: (steps, columns) float64; NaN where a value is missing.
        grid: when the steps are.
        notices: what was done to the rows, a line each.
        decimal: what stands before decimals in its file, ``point`` or ``comma``; None: nothing says.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    grid: TimeGrid = field(default_factory=TimeGrid)
    notices: list[str] = field(default_factory=list)
    decimal: str | None = None

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
    times: Sequence[Any] | None,
    place: str = "times",
    lines: Sequence[int] | None = None,
    known: TimeGrid | None = None,
    dates: str | None = None,
) -> Series:
    """Put rows onto steps of one length.

    Where day and month could change places (01/02/2024), and a person does not say, what only one way of reading puts
    onto steps of one length is read so.

    Args:
        names: of the columns.
        values: (rows, columns), NaN where missing.
        times: of each row, as a person writes them, or what prints so; None: the rows are the steps.
        place, lines: what messages call the column of the times, and each row's line.
        known: the grid of a model, which they are put on if they all lie on it; None: it is found.
        dates: one of ORDERS: how to read dates that begin with a day, a month or a year of two digits.

    Raises:
        InputError: a time cannot be read, or in two ways, is there more than once, or lies off the steps of all others.
    """
    if times is None:
        return Series(tuple(names), values)
    if len(times) != len(values):
        raise InputError(f"{place}: expected one for each of {len(values)} steps, got {len(times)}")
    texts = [str(time) for time in times]
    found = readings(texts, place, lines, known.form if known else None, dates)
    read = found[0] if len(found) == 1 else _by_steps(found, known)
    if read is None:
        raise unclear_order(texts, place, lines, found)
    order = _order(read)
    in_order = order == list(range(len(order)))
    ordered, texts = read.at(order), [texts[i] for i in order]
    placed = _on_steps(ordered, texts, place, known)
    grid, steps = placed.grid, placed.steps
    if not _is_repeated_hour(placed):
        _check_duplicates(texts, steps, place, order, lines)
    means = _mean_of_each(np.array(steps), values[order], steps[-1] + 1)
    notices = [] if in_order else ["the rows were not in the order of their times and were sorted"]
    if any(times.values != read.values for times in usual(found)):
        first = (order_of(read.form) or "").removesuffix("-first")
        notices.append(f"the times were read with the {first} first, which alone makes steps of one length")
    if any(map(ENDS_A_DAY, texts)):
        notices.append("24:00 was read as 0:00 of the day after")
    if grid.unit == "step" and not known and (doubt := rather_dates(texts)):
        notices.append(f"the times were read as numbers; {doubt}")
    return Series(tuple(names), means, grid, [*notices, *_notices(placed, ordered, texts[0])])


def _order(times: Times) -> list[int]:
    instants = times.instants
    return sorted(range(len(instants)), key=instants.__getitem__)


def _by_steps(found: Sequence[Times], known: TimeGrid | None) -> Times | None:
    """Return the only one of several readings that lies on a model's steps, or on some, few of them without a row.

    Where none does, it is the only usual one. Years of 01/01/2001, 01/01/2002 are read and go on alike in either order.
    """
    fitting, are_years = [], True
    for times in found:
        ordered = times.at(_order(times))
        placed = on_steps(known, ordered) if known else _found(ordered, None)
        if placed and not placed.beside and not placed.doubled and placed.absent <= MOST_ABSENT * len(placed.steps):
            fitting.append(times)
            are_years &= placed.grid.unit == "month" and placed.grid.step % 12 == 0
    if len(fitting) > 1:  # 31/01/24 rather begins with the day, 24-01-31 may begin with either
        fitting = [times for times in fitting if not times.form.startswith("%y/")]
    found = fitting or usual(found)
    are_one = len(found) == 1 or (fitting and are_years and all(times.values == found[0].values for times in found))
    return found[0] if are_one else None


def _found(times: Times, known: TimeGrid | None) -> Placed | None:
    try:
        return (on_steps(known, times) if known else None) or find_steps(times)
    except (ValueError, OverflowError):  # a zone takes it out of the years 1 to 9999
        return None


def _on_steps(times: Times, texts: Sequence[str], place: str, known: TimeGrid | None) -> Placed:
    placed = _found(times, known)
    grid = placed.grid if placed else TimeGrid()
    doubt = (rather_dates(texts) if times.are_numbers else None) or "without times (--time none) the rows are the steps"
    if placed is None or not grid.can_be_kept:
        raise InputError(
            f"{place}: expected times at steps of one length, or one a month, quarter or year, got others, such as "
            f"{', '.join(map(shown, _crowded(texts)))}; {doubt}"
        )
    count = placed.steps[-1] + 1
    if count > MOST_MISSING * len(times.values) + 1000:
        wanted = f"{place}: expected times at steps of one length, most of them present"
        got = f"{len(times.values):,} rows over {count:,} steps of {grid.describe()}"
        raise InputError(f"{wanted}, got {got}; {doubt}")
    return placed


def _crowded(texts: Sequence[str]) -> Sequence[str]:
    """Return three times in a row, of which two are of one month if there are such."""
    months = [text[:7] if re.match(r"\d{4}[-/.]\d\d", text) else text for text in texts]
    begin = next((i for i, (a, b) in enumerate(pairwise(months)) if a == b), 0)
    return texts[begin : begin + 3]


def _check_duplicates(
    times: list[str], steps: list[int], place: str, order: list[int], lines: Sequence[int] | None
) -> None:
    again = [i for i in range(1, len(steps)) if steps[i] == steps[i - 1] and times[i] == times[i - 1]]
    if len(again) > MOST_DUPLICATES * len(steps):
        number = order[again[0]]
        where = f"{place}[{number}]" if lines is None else f"{place}, line {lines[number]}"
        raise InputError(
            f"{where}: expected times that differ, got {times[again[0]]} again; add up the rows of a time first, or "
            "keep those of one series"
        )


def _is_repeated_hour(placed: Placed) -> bool:
    """Whether the times that are there twice are those of one hour, as where clocks are put back in autumn."""
    grid, again = placed.grid, [step for step, count in Counter(placed.steps).items() if count == 2]
    hour = HOUR * grid.parts // grid.step if grid.unit == "second" else 0
    return 0 < placed.doubled == len(again) <= hour and again[-1] - again[0] < hour


def _mean_of_each(steps: NDArray[np.int64], values: Array, count: int) -> NDArray[np.float64]:
    known = np.isfinite(values)
    totals, counts = np.zeros((count, values.shape[1])), np.zeros((count, values.shape[1]))
    np.add.at(totals, steps, np.where(known, values, 0.0))
    np.add.at(counts, steps, known)
    return np.divide(totals, counts, out=np.full_like(totals, np.nan), where=counts > 0)


def _notices(placed: Placed, times: Times, text: str) -> list[str]:
    notices, grid = [], placed.grid
    kind = READ_AS.get(grid.form[-1]) or COMPACT.get(grid.form.removesuffix(ZERO), ("", False))[0]
    if kind and kind != "YYYYMMDD" and (times.are_numbers or times.form == grid.form):
        dates = as_dates(times, grid.form) if times.are_numbers else times
        moment = written("%Y-%m-%d %H:%M", Fraction(dates.values[0], dates.parts))
        notices.append(f"the times were read as {kind}: {text} is {moment.removesuffix(' 00:00')}")
    if placed.absent:
        notices.append(f"{placed.absent:,} of {placed.steps[-1] + 1:,} steps ({grid.describe()} each) have no row")
    if placed.doubled:
        rows = "1 row falls" if placed.doubled == 1 else f"{placed.doubled:,} rows fall"
        notices.append(f"{rows} on a step that has one already; their mean was taken")
    if placed.beside and grid.unit == "month":
        usual = f"the usual time of each {PERIODS.get(grid.step, 'step')}, such as {grid.label(0)}"
        were = "was" if placed.beside == 1 else "were"
        notices.append(f"{placed.beside:,} of {len(placed.steps):,} times {were} moved to {usual}")
    elif placed.beside:
        lie, were = ("time lies", "was") if placed.beside == 1 else ("times lie", "were")
        notices.append(f"{placed.beside:,} {lie} between the steps and {were} moved to the nearest")
    return notices
