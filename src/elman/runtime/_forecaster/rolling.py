"""Forecasts from many steps of a series, beside what came and what simple forecasts would have said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman._errors import InputError
from elman.runtime._forecaster.context import Context
from elman.runtime._forecaster.forecaster import Forecaster
from elman.runtime._forecaster.series import Windows

__all__ = ["Rolling", "roll", "rolling_report"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rolling:
    """Forecasts from many origins, (origins, horizon, targets) each, in the units that are forecast.

    Attributes:
        truth: what came; NaN where it is missing.
        forecasts, naive, seasonal_naive: what was said, by the model, the last value and the season before.
        origins: (origins,) the first step of each.
    """

    truth: Floats
    forecasts: Floats
    naive: Floats
    seasonal_naive: Floats
    origins: NDArray[np.int64]


def roll(model: Forecaster, context: Context, origins: NDArray[np.int64], horizon: int) -> Rolling:
    """Forecast from each of some steps of a series."""
    looking_back = model.windows(context)
    parts = [_roll(model, context, looking_back, chunk, horizon) for chunk in model.batches(origins)]
    truth, forecasts, naive, seasonal = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return Rolling(truth, forecasts, naive, seasonal, origins)


def _roll(
    model: Forecaster, context: Context, looking_back: Windows, origins: NDArray[np.int64], horizon: int
) -> tuple[Floats, Floats, Floats, Floats]:
    settings = model.settings
    targets, ahead = len(settings.targets), np.arange(horizon)
    windows = looking_back.before(origins, settings.reach)[:, :, :targets]
    places = origins[:, None] + ahead
    truth = np.where(looking_back.observed[places, :targets], looking_back.filled[places, :targets], np.nan)
    seasonal = windows[:, settings.reach - settings.season + ahead % settings.season]
    naive = np.repeat(windows[:, -1:], horizon, axis=1)
    return truth, model.rolling(context, origins, horizon), naive, seasonal


def rolling_report(
    model: Forecaster, context: Context, horizon: int | None = None, coverage: float | None = None
) -> dict[str, Any]:
    """Measure a model from every step of a series that it was not trained on.

    Args:
        model: the forecaster.
        context: the series, placed.
        horizon: steps ahead; None: those of training. Errors are means over them.
        coverage: of the intervals; None: that of training.

    Returns:
        ``mae``, ``naive_mae``, ``seasonal_naive_mae``, ``interval_coverage``, each a mean over the targets, the same of
        each target under ``targets``, and ``examples``, the number of forecasts.

    Raises:
        InputError: the series ends before the first forecast does, or holds no known value there.
    """
    horizon = model.settings.checked_horizon(horizon)
    origins = np.arange(context.begin, len(context.values) - horizon + 1)
    if not len(origins):
        left = max(0, len(context.values) - context.begin)
        raise InputError(f"series: expected {_to_compare(model, context, horizon)}, got {left}")
    rolling = roll(model, context, origins, horizon)
    if np.isnan(rolling.truth).all((0, 1)).any():
        raise InputError("series: expected known values to compare forecasts with, got none of a target")
    widths = model.widths(horizon, coverage)
    figures = errors(model, rolling) | {"interval_coverage": covered(rolling, widths)}
    names = model.settings.targets
    report: dict[str, Any] = {name: float(np.nanmean(values)) for name, values in figures.items()}
    per_target = {
        target: {name: float(values[column]) for name, values in figures.items()} for column, target in enumerate(names)
    }
    return report | {"targets": per_target, "horizon": horizon, "examples": len(origins), "series": context.relation}


def _to_compare(model: Forecaster, context: Context, horizon: int) -> str:
    """Say what a series has too little of."""
    wanted, trained = f"{horizon} steps or more to compare forecasts with", len(model.series)
    if context.first + context.begin < trained:
        return f"{wanted}, after the first {context.begin}, which forecasts look back at"
    return f"{wanted}, after {model.settings.grid.label(trained - 1)}, where training ended (keep some back from it)"


def errors(model: Forecaster, rolling: Rolling) -> dict[str, Floats]:
    """Return the mean absolute errors, (targets,), over origins and steps, in the series' own units."""
    truth = model.restored(rolling.truth)
    said = {"mae": rolling.forecasts, "naive_mae": rolling.naive, "seasonal_naive_mae": rolling.seasonal_naive}
    return {name: _mean_known(np.abs(model.restored(values) - truth)) for name, values in said.items()}


def covered(rolling: Rolling, widths: Floats) -> Floats:
    """Return the share, (targets,), of what came that lay within the interval."""
    missed = np.abs(rolling.forecasts - rolling.truth)
    return _mean_known(np.where(np.isnan(missed), np.nan, missed <= widths))


def _mean_known(values: Floats) -> Floats:
    known = np.isfinite(values)
    counts = known.sum((0, 1))
    means: Floats = np.full(len(counts), np.nan)
    np.divide(np.where(known, values, 0.0).sum((0, 1)), counts, out=means, where=counts > 0)
    return means
