"""What a series has to do with the one that a forecaster was trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from elman._errors import InputError
from elman.runtime._arrays import Array
from elman.runtime._forecaster.calendar import TimeGrid
from elman.runtime._forecaster.series import Series

__all__ = ["Context", "place"]

MOST_DIFFERENT = 0.01  # of the values that two series share, if they are one


@dataclass(frozen=True)
class Context:
    """A series to forecast from.

    Attributes:
        values: (steps, columns) float64, NaN where missing.
        first: the step of the training series that its first step is.
        begin: the first step that was not trained on, from 0, and has enough before it.
        relation: what it has to do with the training series, for people.
        following: the steps after it, written as its own times are; None: as those of training.
        ahead: (steps, columns known ahead) the values of these columns after it; None: there are no such columns.
    """

    values: NDArray[np.float64]
    first: int
    begin: int
    relation: str
    following: TimeGrid | None = None
    ahead: NDArray[np.float64] | None = None

    @classmethod
    def of(cls, training: Series, begin: int) -> Context:
        """Return the training series itself."""
        return cls(training.values, 0, begin, "the training series")


def place(series: Series, training: Series, reach: int, timed: bool) -> Context:
    """Find out what a series has to do with that of training.

    Args:
        series: with the same columns.
        training: the series of training.
        reach: steps that a forecast looks back.
        timed: whether the series has times of its own.

    Raises:
        InputError: its steps are others, or it is too short.
    """
    following = None
    if timed:
        first = training.grid.index_of(series.grid)
        if first is None:
            ours, theirs = training.grid, series.grid
            steps = f"steps of {theirs.describe()} from " if len(series) > 1 else ""
            raise InputError(
                f"times: expected steps of {ours.describe()}, as from {ours.label(0)} in training, "
                f"got {steps}{theirs.label(0)}"
            )
        following = series.grid.starting(len(series))
    else:
        first = 0 if _is_same(series.values, training.values) else len(training)
    after = first - len(training)
    if 0 <= after <= reach:
        gap = np.full((after, series.values.shape[1]), np.nan)
        relation = "goes on after the training series" + (f", {after} steps later" if after else "")
        return Context(np.concatenate([training.values, gap, series.values]), 0, first, relation, following)
    if 0 <= first < len(training) and _is_same(series.values, training.values[first:]):
        joined = np.concatenate([training.values[:first], series.values])
        return Context(joined, 0, len(training), "holds the training series or its end", following)
    if timed and first < len(training) < first + len(series):  # it also holds what was before, or has been revised
        begin = max(reach, len(training) - first)
        return Context(series.values, first, begin, "overlaps the training series", following)
    if len(series) < reach:
        raise InputError(f"history: expected {reach} steps or more of another series, got {len(series)}")
    return Context(series.values, first, reach, "is another series", following)


def _is_same(values: Array, training: Array) -> bool:
    shared = min(len(values), len(training))
    ours, theirs = training[:shared], values[:shared]
    known = np.isfinite(ours) & np.isfinite(theirs)
    different = ~np.isclose(ours, theirs, rtol=1e-6, atol=1e-9) & known
    return bool(known.any() and different.sum() <= MOST_DIFFERENT * known.sum())
