"""What the held-out part of a series decides once the networks are trained: strategy, and widths of intervals."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from elman.runtime._arrays import Array
from elman.runtime._forecaster.anchors import LAST_VALUE, SEASONAL_NAIVE
from elman.runtime._forecaster.context import Context
from elman.runtime._forecaster.forecaster import Forecaster
from elman.runtime._forecaster.rolling import Rolling, covered, errors, roll
from elman.tasks._forecaster.training import held_origins, ratio

__all__ = ["calibrated"]

SHARES, RECURSIVE_SHARES = (1.0, 0.75, 0.5, 0.25, 0.0), (1.0, 0.0)  # of the networks' correction
COMPARED, CALIBRATED = 200, 1000  # forecasts at most
BETTER = 0.99  # a choice is taken only if the error falls to this


def calibrated(model: Forecaster, held: int, strategy: str | None) -> tuple[Forecaster, dict[str, Any]]:
    """Choose how much of the correction to use and how to go over the horizon; take the widths from the residuals.

    Where a naive forecast does better, it takes the place of all.

    Args:
        model: as trained.
        held: the first step of the training series that the networks were not trained on.
        strategy: ``"direct"``, ``"recursive"``, or None: whichever does better.

    Returns:
        The model, and its figures on the held-out part. The coverage is that of the second half of the forecasts, by
        widths from the first half.
    """
    context, horizon = Context.of(model.series, held), model.settings.horizon
    origins = held_origins(model, held, COMPARED)
    best, least = model, float("inf")
    for choice in _choices(model, strategy):  # each has to be better than those before it
        error = ratio(errors(choice, roll(choice, context, origins, horizon)))
        if error < BETTER * least:
            best, least = choice, error
    rolling = roll(best, context, held_origins(best, held, CALIBRATED), horizon)
    figures: dict[str, Any] = {name: float(np.nanmean(values)) for name, values in errors(best, rolling).items()}
    figures["interval_coverage"] = _measured_coverage(best, rolling)
    figures["examples"] = len(rolling.origins)
    return _with_residuals(best, rolling), figures


def _choices(model: Forecaster, strategy: str | None) -> Iterator[Forecaster]:
    horizon = model.settings.horizon
    for block in {"direct": [horizon], "recursive": [1]}.get(strategy or "", [horizon, 1]):
        for share in SHARES if block == horizon else RECURSIVE_SHARES:
            yield _variant(model, share, block, model.anchor)
    for simple in (LAST_VALUE, SEASONAL_NAIVE):
        anchor = np.zeros_like(model.anchor)
        anchor[:, :, simple] = 1
        yield _variant(model, 0.0, horizon, anchor)


def _variant(model: Forecaster, share: float, block: int, anchor: Array) -> Forecaster:
    tensors = model.tensors() | {"output_scale": share * model.output_scale, "anchor": anchor}
    return Forecaster(replace(model.settings, block=block), tensors)


def _with_residuals(model: Forecaster, rolling: Rolling) -> Forecaster:
    residuals = np.abs(rolling.forecasts - rolling.truth)
    known = np.isfinite(residuals)
    # a missing one is taken for the mean of the others at its step
    means = np.divide(
        np.where(known, residuals, 0).sum(0), known.sum(0), where=known.any(0), out=np.zeros(known[0].shape)
    )
    residuals = np.sort(np.where(known, residuals, means), axis=0)
    settings = replace(model.settings, calibration=len(residuals))
    return Forecaster(settings, model.tensors() | {"residuals": residuals})


def _measured_coverage(model: Forecaster, rolling: Rolling) -> float:
    half = len(rolling.origins) // 2
    if not half:
        return float("nan")
    first, second = _part(rolling, slice(half)), _part(rolling, slice(half, None))
    widths = _with_residuals(model, first).widths(model.settings.horizon)
    return float(np.nanmean(covered(second, widths)))


def _part(rolling: Rolling, part: slice) -> Rolling:
    return Rolling(**{name: array[part] for name, array in vars(rolling).items()})
