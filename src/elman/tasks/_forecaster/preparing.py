"""A series as it is given to a forecaster's training, and what of it is held out."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman._errors import InputError, listed
from elman.runtime._forecaster.calendar import TimeGrid
from elman.runtime._forecaster.columns import as_columns, without_ahead
from elman.runtime._forecaster.series import Series, as_series

__all__ = ["as_training", "check_known", "default_horizon", "digest_of", "first_held"]

LEAST_HELD = 4  # steps to forecast from, held out
LEAST_KNOWN = 3

Floats = NDArray[np.float64]


def as_training(
    series: Any, times: Any, covariates: Any, known: Any, names: Sequence[str] | None, dates: str | None
) -> tuple[Series, int, Floats]:
    """Return the series, how many of its columns are targets, and what is known ahead, (steps, columns)."""
    if isinstance(series, Series):
        count = int(known or 0)
        targets = len(series.names) - int(covariates or 0) - count
        past, ahead = without_ahead(series, targets, count) if count else (series, np.zeros((0, 0)))
        return past, targets, ahead
    targets = np.asarray(series).shape[1] if np.ndim(series) == 2 else 1
    columns = [as_columns(series, "series", ["target"] * targets)]
    if covariates is not None:
        count = np.asarray(covariates).shape[1] if np.ndim(covariates) == 2 else 1
        columns.append(as_columns(covariates, "covariates", ["covariate"] * count))
        if len(columns[1]) != len(columns[0]):
            raise InputError(f"covariates: expected {len(columns[0])} steps, as the series, got {len(columns[1])}")
    ahead = np.zeros((0, 0))
    if known is not None:
        count, steps = np.asarray(known).shape[1] if np.ndim(known) == 2 else 1, len(columns[0])
        columns.append(as_columns(known, "known", ["known"] * count))
        if len(columns[-1]) < steps:
            raise InputError(f"known: expected {steps} steps or more, as the series, got {len(columns[-1])}")
        columns[-1], ahead = columns[-1][:steps], columns[-1][steps:]
    values = np.concatenate(columns, axis=1)
    if names is None:
        extra = values.shape[1] - targets - ahead.shape[1]
        names = ["value"] if targets == 1 else [f"value_{i + 1}" for i in range(targets)]
        names = [*names, *(f"covariate_{i + 1}" for i in range(extra))]
        names += [f"known_{i + 1}" for i in range(ahead.shape[1])]
    if len(names) != values.shape[1] or len(set(names)) != len(names):
        raise InputError(f"names: expected {values.shape[1]} that differ, got {listed(map(str, names))}")
    return as_series([str(name) for name in names], values, times, dates=dates), targets, ahead


def check_known(series: Series, targets: int, held: int) -> None:
    """Check that enough of each column is known before the step ``held``, and of each target something after it.

    Raises:
        InputError: it is not so.
    """
    for name, column in zip(series.names, series.values[:held].T, strict=True):
        known = int(np.isfinite(column).sum())
        if known < max(LEAST_KNOWN, held // 20):
            raise InputError(
                f"{name}: expected numbers, got {known} known ones in the {held} of {len(series)} steps to train on"
            )
    for name, column in zip(series.names[:targets], series.values[held:].T, strict=False):
        if not np.isfinite(column).any():
            raise InputError(
                f"{name}: expected numbers among the last {len(column)} steps, which are held out, got none"
            )


def default_horizon(grid: TimeGrid, steps: int) -> int:
    """Return a tenth of the series, and at most the calendar's shortest cycle of which it holds two."""
    cycles = [round(cycle) for cycle in grid.cycles() if 2 * cycle <= steps]
    return max(1, min([steps // 10, *cycles]))


def first_held(steps: int, horizon: int, validation: float) -> int:
    """Return the first step held out: a share, and enough for some forecasts."""
    return steps - max(round(steps * validation), horizon + max(LEAST_HELD, horizon // 2) - 1)


def digest_of(series: Series, targets: int, ahead: Floats) -> str:
    """Return what a resumed run knows its data by."""
    content = repr((series.names, targets, series.grid)).encode() + series.values.tobytes() + ahead.tobytes()
    return hashlib.sha256(content).hexdigest()
