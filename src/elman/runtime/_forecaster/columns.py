"""Columns of numbers: as they are given, in the units that are forecast, and what of them is known ahead."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman._errors import InputError
from elman.runtime._arrays import Array, as_array
from elman.runtime._forecaster.series import GREATEST, Series

__all__ = ["as_columns", "each", "transformed", "without_ahead"]

LEAST_SHARE = 0.1  # of the training series' least value, for logarithms

Floats = NDArray[np.float64]


def as_columns(values: Any, place: str, names: Sequence[str]) -> Floats:
    """Return an array given as (steps, columns), or (steps,) for one column, NaN where missing.

    Raises:
        InputError: it is none, or holds infinity or the like.
    """
    array = as_array(values, place, np.dtype(np.float64))
    columns = array[:, None] if array.ndim == 1 else array
    if columns.ndim != 2 or columns.shape[1] != len(names) or not len(columns):
        raise InputError(f"{place}: expected the shape (steps, {len(names)}), got {array.shape}")
    beyond = np.abs(columns) > GREATEST
    if beyond.any():
        step, column = np.argwhere(beyond)[0].tolist()
        got = columns[step, column]
        raise InputError(f"{place}[{step}, {column}]: expected a number up to {GREATEST:g}, or NaN, got {got}")
    return np.array(columns)


def without_ahead(series: Series, targets: int, known: int) -> tuple[Series, Floats]:
    """Return a series to its last target, and the values of its columns known ahead in the rows behind that."""
    seen = np.flatnonzero(np.isfinite(series.values[:, :targets]).any(axis=1))
    end = int(seen[-1]) + 1 if len(seen) else 0
    return replace(series, values=series.values[:end]), series.values[end:, series.values.shape[1] - known :]


def transformed(values: Array, logarithm: Sequence[bool], training: Array) -> Floats:
    """Return columns, (steps, columns), in the units that are forecast."""
    values = np.array(values, dtype=np.float64)
    for column in np.flatnonzero(logarithm):
        least = LEAST_SHARE * np.nanmin(training[:, column])  # a later series may reach 0
        values[:, column] = each(math.log, np.maximum(values[:, column], least))
    return values


def each(function: Callable[[float], float], values: Array) -> Floats:
    """Apply a function to each number: NumPy's own take other roads on other processors."""
    return np.array([function(value) for value in values.ravel().tolist()], dtype=np.float64).reshape(values.shape)
