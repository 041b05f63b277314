"""What the held-out part of a series decides once the networks are trained: strategy, and widths of intervals."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from elman.runtime._arrays import Array
from elman.runtime._forecaster.anchors import names_of
from elman.runtime._forecaster.context import Context
from elman.runtime._forecaster.forecaster import Forecaster
from elman.runtime._forecaster.intervals import quantile
from elman.runtime._forecaster.rolling import Rolling, covered, errors, roll
from elman.runtime._forecaster.settings import GREATEST_RATIO
from elman.tasks._forecaster.training import held_origins, ratio

__all__ = ["Choice", "calibrated", "choose", "possible_ratios"]

SHARES, RECURSIVE_SHARES = (1.0, 0.75, 0.5, 0.25, 0.0), (1.0, 0.0)  # of the networks' correction
COMPARED, CALIBRATED = 200, 1000  # forecasts at most
BETTER = 0.99  # a choice is taken only if the error falls to this
SURE = 0.9  # that the error is not above the better naive forecast's


@dataclass(frozen=True)
class Choice:
    """What is made of a mix and the networks' correction of it.

    Attributes:
        share: of the correction that is used.
        block: steps of the horizon that are used before reading on.
        simple: the simple forecast that takes the place of all; None: the mix does better.
    """

    share: float
    block: int
    simple: int | None = None

    def applied(self, model: Forecaster) -> Forecaster:
        anchor = model.anchor
        if self.simple is not None:
            anchor = np.zeros_like(anchor)
            anchor[:, :, self.simple] = 1
        tensors = model.tensors() | {"output_scale": self.share * model.output_scale, "anchor": anchor}
        return Forecaster(replace(model.settings, block=self.block), tensors)


def choose(model: Forecaster, held: int, strategy: str | None) -> Choice:
    """Choose how much of the correction to use and how to go over the horizon; where a simple forecast does better, it.

    Args:
        model: as trained.
        held: the first step of the training series that the networks were not trained on.
        strategy: ``"direct"``, ``"recursive"``, or None: whichever does better.
    """
    context, horizon = Context.of(model.series, held), model.settings.horizon
    origins = held_origins(model, held, COMPARED)
    best, least = Choice(0.0, horizon), float("inf")
    for choice in _choices(model, strategy):  # each has to be better than those before it
        error = ratio(errors(model, roll(choice.applied(model), context, origins, horizon)))
        if error < (BETTER if choice.simple is None else 1) * least:
            best, least = choice, error
    return best


def calibrated(model: Forecaster, tried: Forecaster, held: int) -> tuple[Forecaster, dict[str, Any]]:
    """Take the widths of intervals from forecasts of the held-out part.

    Args:
        model: what is to be used, trained on the whole series.
        tried: the same, trained without the held-out part, whose forecasts of it are those of what is new to it.
        held: the first step held out.

    Returns:
        The model, and figures on the held-out part. The coverage is that of the second half of the forecasts, by widths
        from the first half; ``recent_ratio`` is the error over the better naive forecast's on that half.
    """
    rolling = roll(tried, Context.of(tried.series, held), held_origins(tried, held, CALIBRATED), tried.settings.horizon)
    found = errors(tried, rolling)
    half = len(rolling.origins) // 2
    recent = _behind(errors(tried, _of_origins(rolling, slice(half, None))))
    # a target that is missing there is judged by all that is held out
    recent = np.where(np.isnan(recent), _behind(found), recent).clip(0, GREATEST_RATIO)
    figures = {name: float(np.nanmean(values)) for name, values in found.items()}
    figures |= {"recent_ratio": float(np.nanmax(recent)), "interval_coverage": _measured_coverage(tried, rolling)}
    figures["examples"] = len(rolling.origins)
    ratios = {
        "recent": np.nan_to_num(recent).tolist(),
        "possible": np.nan_to_num(possible_ratios(tried, rolling)).tolist(),
    }
    settings = replace(model.settings, **ratios, rough=_is_rough(rolling))
    return _with_residuals(Forecaster(settings, model.tensors()), rolling), figures


def _behind(found: Mapping[str, Array]) -> Array:
    """Return the error of each target over the better naive forecast's; where that is none, 1 or beyond all."""
    naive = np.minimum(found["naive_mae"], found["seasonal_naive_mae"])
    ratios: Array = np.where(found["mae"] <= naive, np.minimum(found["mae"], 1.0), np.inf)
    return np.divide(found["mae"], naive, out=ratios, where=naive > 0)


def possible_ratios(model: Forecaster, rolling: Rolling) -> Array:
    """Return how much, for each target, the error over the better naive forecast's may be, were there more forecasts.

    It is the upper bound, at a level of SURE, of the difference of the two, by Student's t; forecasts n steps ahead
    overlap, and n of them count as one.
    """
    naive, seasonal, own = (
        _of_each(model, rolling, said) for said in (rolling.naive, rolling.seasonal_naive, rolling.forecasts)
    )
    better = np.where(_means(naive) <= _means(seasonal), naive, seasonal)
    known = np.isfinite(own - better)
    more = _means(own - better)
    counts = known.sum(0) / rolling.truth.shape[1]
    spread = np.sqrt(_means(np.square(own - better - more)) / np.maximum(counts, 1e-9))
    bound = more + [quantile(SURE, float(count) - 1) for count in counts] * spread
    ratios = 1 + np.divide(bound, _means(better), out=np.zeros(len(bound)), where=_means(better) > 0)
    possible: Array = ratios.clip(0, GREATEST_RATIO)
    return possible


def _of_each(model: Forecaster, rolling: Rolling, said: Array) -> Array:
    """Return the mean absolute error of each forecast, (origins, targets), in the series' own units."""
    return _means(np.abs(model.restored(said) - model.restored(rolling.truth)).swapaxes(0, 1))


def _means(values: Array) -> Array:
    """Return means over the first axis of what is known; NaN where nothing is."""
    known = np.isfinite(values)
    counts = known.sum(0)
    means: Array = np.full(counts.shape, np.nan)
    np.divide(np.where(known, values, 0).sum(0), counts, out=means, where=counts > 0)
    return means


def _is_rough(rolling: Rolling) -> bool:
    return bool(Forecaster.few(len(rolling.origins)))


def _choices(model: Forecaster, strategy: str | None) -> Iterator[Choice]:
    horizon = model.settings.horizon
    for block in {"direct": [horizon], "recursive": [1]}.get(strategy or "", [horizon, 1]):
        for share in SHARES if block == horizon else RECURSIVE_SHARES:
            yield Choice(share, block)
    for simple in range(len(names_of(model.settings.seasons))):
        yield Choice(0.0, horizon, simple)


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
    model = Forecaster(replace(model.settings, rough=_is_rough(rolling)), model.tensors())
    first, second = _of_origins(rolling, slice(half)), _of_origins(rolling, slice(half, None))
    widths = _with_residuals(model, first).widths(model.settings.horizon)
    return float(np.nanmean(covered(second, widths)))


def _of_origins(rolling: Rolling, origins: slice) -> Rolling:
    return Rolling(**{name: array[origins] for name, array in vars(rolling).items()})
