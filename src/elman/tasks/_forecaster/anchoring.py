"""Choices made from a series in closed form: season, logarithms, and the mix of simple forecasts."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from elman.runtime._forecaster.anchors import (
    CANDIDATES,
    MOST_SEASONS,
    RECENT,
    RELATIVE,
    Waves,
    candidates,
    mixed,
    names_of,
)
from elman.runtime._forecaster.calendar import TimeGrid
from elman.runtime._forecaster.columns import transformed
from elman.runtime._forecaster.series import Series, Windows
from elman.runtime._forecaster.settings import PROFILE_WAVES, ForecasterSettings

__all__ = [
    "LEAST",
    "LEAST_SCALE",
    "Anchor",
    "choose_anchor",
    "choose_season",
    "cycles_of",
    "seasons_of",
    "spread",
    "tensors_of",
]

FITTED = 0.65  # of the training part, on which mixes are fitted that are then compared on the rest of it
SHRINKAGES = (3.0, 30.0, 300.0)  # towards the best simple forecast, in examples
HALVINGS = (0.0, 3.0)  # of an example's weight from the last to the first
LEAST_LOOKS = 6  # times that a series holds the steps looked back at, for a second season or the mean of several
FEWEST, MOST_ORIGINS = 6, 1000
LONGEST_SEASON = 2000  # steps; of hours a week and not a year, whose examples would fill the memory
BETTER = 0.97  # a season, a logarithm: only if the error falls to this
LEAST_CORRELATION, LEAST_DEVIATIONS = 0.3, 2.5  # of a peak of the autocorrelation, as such and beside noise
LEAST_SCALE, LEAST = 1e-9, 1e-30  # of what is divided by, beside the series' level and as such
DEGREE = 3  # of the polynomial that a trend is taken for while the season's profile is fitted

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Anchor:
    """The mix of simple forecasts that suits a column.

    Attributes:
        weights: (horizon, simple forecasts).
        level: the column's mean.
        profile: (waves,) what the phase adds.
        returning: whether the mean of the phase forecasts better than the last value.
        logarithm: whether the column's logarithm is meant.
        error: its mean absolute error on the part it was compared on.
        name: what it is, for people.
    """

    weights: Floats
    level: float
    profile: Floats
    returning: bool
    logarithm: bool
    error: float
    name: str


def spread(origins: Integers, most: int) -> Integers:
    """Return at most so many of some steps, evenly."""
    if len(origins) <= most:
        return origins
    chosen: Integers = origins[np.linspace(0, len(origins) - 1, most).round().astype(np.int64)]
    return chosen


def cycles_of(grid: TimeGrid, season: int, steps: int) -> list[float]:
    """Return the cycles that a series of so many steps holds twice: the calendar's, and the season if it is none."""
    cycles = [cycle for cycle in grid.cycles() if 2 * cycle <= steps]
    if season > 1 and not any(abs(cycle - season) < 1 for cycle in cycles):
        cycles.append(float(season))
    return cycles


def seasons_of(grid: TimeGrid, season: int, steps: int) -> tuple[list[int], int]:
    """Return the seasons whose own forecasts are mixed, and how far back these look, in a series of so many steps."""
    longest = min(LONGEST_SEASON, steps // LEAST_LOOKS)
    others = [round(cycle) for cycle in grid.cycles() if abs(cycle - season) >= 1 and cycle < longest]
    seasons = sorted({season, *others})
    lookback = max(season + 1, min(longest, MOST_SEASONS * season + 1), *(other + 1 for other in seasons))
    return seasons, lookback


def choose_season(values: Floats, grid: TimeGrid, horizon: int) -> int:
    """Return the season, in steps, with which simple forecasts do best; 1 if none helps.

    Args:
        values: (steps, targets) of the training part, NaN where missing.
        grid: its times, whose calendar proposes seasons; where it has none, autocorrelation does.
        horizon: steps ahead.
    """
    proposed = [
        round(cycle)
        for cycle in grid.cycles()
        if 2 * cycle <= len(values) and round(cycle) + 2 * horizon < FITTED * len(values) and cycle <= LONGEST_SEASON
    ]
    if not grid.cycles():
        proposed = sorted({season for column in values.T for season in _correlated_seasons(column, horizon)})
    errors = {season: _error_with(values, grid, season, horizon) for season in (1, *proposed)}
    best = 1
    for season in proposed:  # from the shortest: a longer one has to be better
        if errors[season] < BETTER * errors[best]:
            best = season
    return best


def choose_anchor(
    values: Floats,
    cycles: Sequence[float],
    season: int,
    horizon: int,
    length: int,
    logarithms: Collection[bool] = (False, True),
    seasons: Sequence[int] = (),
    known: Floats | None = None,
) -> Anchor:
    """Return the mix that suits a column, (steps,), chosen by its end and fitted to the whole.

    Args:
        values: NaN where missing.
        cycles, season: in steps.
        horizon: steps ahead.
        length: steps that may be looked back at.
        logarithms: whether the column's logarithm is what is forecast; both: whichever does better.
        seasons: those whose own forecasts are mixed too.
        known: (steps, columns) what is known ahead and may have an effect on the column; None: nothing.
    """
    known = np.zeros((len(values), 0)) if known is None else known
    found = [
        _compared(values, cycles, season, horizon, length, logarithm=logarithm, seasons=seasons, known=known)
        for logarithm in sorted(logarithms)
        if not logarithm or np.nanmin(values) > 0
    ]
    return min(found, key=lambda anchor: anchor.error * (1 if anchor.logarithm else BETTER))


def _error_with(values: Floats, grid: TimeGrid, season: int, horizon: int) -> float:
    """Return the error of the best simple forecast, beside the mean step, as a mean over the columns."""
    cycles = [cycle for cycle in cycles_of(grid, season, len(values)) if abs(cycle - season) < 1]
    errors = []
    for column in values.T:
        length = max(season + 1, RECENT)
        split = _split(len(column), horizon, length)
        nothing = np.zeros((len(column), 0))
        compared = _examples(column, cycles, season, horizon, length, split, (), nothing).starting(split)
        error = min(_error(compared, weights) for weights in _alone(compared))
        errors.append(error / (float(np.nanstd(column)) or 1.0))
    return float(np.mean(errors))


def _correlated_seasons(values: Floats, horizon: int) -> list[int]:
    """Return the lags at which the differences' autocorrelation has its two highest peaks."""
    filled = Windows(values[:, None]).filled[:, 0]
    differences = np.diff(filled) - np.diff(filled).mean()
    longest = int((FITTED * len(values) - horizon) / 2) - 1
    power = float(differences @ differences)
    if longest < 3 or power == 0:
        return []
    lags = np.arange(1, longest + 1)
    correlations = np.array([differences[lag:] @ differences[:-lag] / power for lag in lags])
    least = max(LEAST_CORRELATION, LEAST_DEVIATIONS / len(values) ** 0.5)
    peaks = [
        int(lags[i])
        for i in range(1, longest - 1)
        if correlations[i] > least and correlations[i] == correlations[i - 1 : i + 2].max()
    ]
    return sorted(peaks, key=lambda lag: -correlations[lag - 1])[:2]


def _compared(
    values: Floats,
    cycles: Sequence[float],
    season: int,
    horizon: int,
    length: int,
    logarithm: bool,
    seasons: Sequence[int],
    known: Floats,
) -> Anchor:
    """Fit mixes to the first part of a column, choose by the rest, and fit the choice to the whole."""
    column = np.log(values) if logarithm else values
    split = _split(len(column), horizon, length)
    examples = _examples(column, cycles, season, horizon, length, split, seasons, known)
    fitted, compared = examples.ending(split), examples.starting(split)
    restore = np.exp if logarithm else np.array
    errors = [_error(compared, weights, restore) for weights in _mixes(fitted)]
    names = names_of(seasons)
    best = min(range(len(errors)), key=lambda number: errors[number] * (1 if number < len(names) else 1 / BETTER))
    returning = errors[CANDIDATES.index("mean of the phase")] < errors[0]
    whole = _examples(column, cycles, season, horizon, length, len(column), seasons, known)
    weights = _mixes(whole)[best]
    name = names[best] if best < len(names) else "mix of simple forecasts"
    return Anchor(weights, whole.level, whole.profile, returning, logarithm, errors[best], name)


@dataclass(frozen=True)
class _Examples:
    """Simple forecasts (origins, horizon, simple forecasts) from steps of a series, and what came."""

    origins: Integers
    simple: Floats
    truth: Floats
    level: float
    profile: Floats

    def ending(self, end: int) -> "_Examples":
        """Return those that end before a step, or, where these are too few, that begin before it."""
        before = self.origins + self.truth.shape[1] <= end
        return self._of(before if before.sum() >= FEWEST else self.origins < end)

    def starting(self, begin: int) -> "_Examples":
        return self._of(self.origins >= begin)

    def _of(self, chosen: NDArray[np.bool_]) -> "_Examples":
        return _Examples(self.origins[chosen], self.simple[chosen], self.truth[chosen], self.level, self.profile)


def _split(steps: int, horizon: int, length: int) -> int:
    """Return the step that parts the examples to fit mixes to from those to compare them on."""
    return length + int(FITTED * (steps - horizon - length + 1))


def _examples(
    column: Floats,
    cycles: Sequence[float],
    season: int,
    horizon: int,
    length: int,
    fitted: int,
    seasons: Sequence[int],
    known: Floats,
) -> _Examples:
    waves = Waves(cycles, PROFILE_WAVES)
    level, profile = _profile(column[:fitted], waves, known[:fitted])
    windows = Windows(column[:, None])
    origins = spread(np.arange(length, len(column) - horizon + 1), MOST_ORIGINS)
    places = origins[:, None] + np.arange(horizon)
    phase = np.concatenate([waves.at(np.arange(len(column))), known], axis=1) @ profile
    before = phase[origins[:, None] + np.arange(-length, 0)]
    simple = candidates(windows.before(origins, length)[:, :, 0], before, phase[places], level, season, seasons)
    return _Examples(origins, simple, column[places], level, profile)


def _profile(column: Floats, waves: Waves, known: Floats) -> tuple[float, Floats]:
    """Return the mean of a column without what is known ahead, and, by ridge regression, what each wave and that add.

    A polynomial beside them takes the trend.
    """
    there = np.flatnonzero(np.isfinite(column))
    effects = len(waves) + known.shape[1]
    if not len(there):
        return 0.0, np.zeros(effects)
    level = float(column[there].mean())
    trend = np.vander(there / len(column) - 0.5, DEGREE + 1)
    scale = np.maximum(known.std(axis=0), LEAST)  # lest the penalty depend on their unit
    inputs = np.concatenate([waves.at(there), known[there] / scale, trend], axis=1)
    penalty = np.diag([1.0] * effects + [1e-6] * trend.shape[1])
    weights = np.linalg.solve(inputs.T @ inputs + penalty, inputs.T @ (column[there] - level))[:effects]
    weights[len(waves) :] /= np.where(known.std(axis=0) > LEAST, scale, np.inf)
    return level - float((known[there] @ weights[len(waves) :]).mean()), weights


def _error(examples: _Examples, weights: Floats, restore: Callable[[Floats], Floats] = np.array) -> float:
    missed = np.abs(restore(mixed(examples.simple, weights)) - restore(examples.truth))
    known = missed[np.isfinite(missed)]
    return float(known.mean()) if len(known) else math.inf


def _alone(examples: _Examples) -> list[Floats]:
    """Return the weights, (horizon, simple forecasts), of each forecast alone."""
    horizon, count = examples.simple.shape[1:]
    return [np.tile(row, (horizon, 1)) for row in np.eye(count)]


def _mixes(examples: _Examples) -> list[Floats]:
    """Return weights: those of each forecast alone, then those of the mixes fitted."""
    alone = _alone(examples)
    errors = [_error(examples, weights) for weights in alone]
    sets = [RELATIVE, tuple(range(len(CANDIDATES)))]
    if len(alone) > len(CANDIDATES):
        sets += [tuple(range(len(alone)))]
    mixes = [
        _ridge(examples, min(s, key=errors.__getitem__), s, shrinkage, halvings)
        for s in sets
        for shrinkage in SHRINKAGES
        for halvings in HALVINGS
    ]
    return alone + mixes


def _ridge(examples: _Examples, base: int, chosen: Sequence[int], shrinkage: float, halvings: float) -> Floats:
    """Return the weights, summing to 1 at each step, of the least squares mix, shrunk towards one forecast.

    An example counts less the older it is: its weight doubles so often from the first to the last.
    """
    others = [k for k in chosen if k != base]
    age = (examples.origins[-1:] - examples.origins) / max(1, int(np.ptp(examples.origins)))
    counts = 0.5 ** (halvings * age)
    weights = np.zeros(examples.simple.shape[1:])
    for step in range(len(weights)):
        known = np.isfinite(examples.truth[:, step])
        simple, truth = examples.simple[known, step], examples.truth[known, step]
        inputs = simple[:, others] - simple[:, [base]]
        weighed = inputs.T * counts[known]
        product = weighed @ inputs
        penalty = shrinkage * np.trace(product) / (len(others) * max(1.0, counts[known].sum())) + 1e-12
        fitted = np.linalg.solve(product + penalty * np.eye(len(others)), weighed @ (truth - simple[:, base]))
        weights[step, others] = fitted
        weights[step, base] = 1 - fitted.sum()
    return weights


def tensors_of(
    settings: ForecasterSettings, series: Series, ahead: Floats, anchors: Sequence[Anchor], held: int
) -> dict[str, Floats]:
    """Return the tensors of a :class:`elman.runtime.Forecaster` that no network has to learn.

    Args:
        settings: its settings.
        series: the training series.
        ahead: what is known of the steps after it.
        anchors: of each column.
        held: the first step held out, from which on nothing is looked at.
    """
    trained = transformed(series.values[:held], settings.logarithm, series.values)
    known = trained[:, trained.shape[1] - len(settings.known) :]
    known = Windows(known).filled if settings.known else known
    scales = [_input_scales(column, settings, anchor, known) for column, anchor in zip(trained.T, anchors, strict=True)]
    return {
        "series": np.nan_to_num(series.values),
        "observed": np.isfinite(series.values).astype(np.float64),
        "level": np.array([anchor.level for anchor in anchors]),
        "profile": np.stack([anchor.profile for anchor in anchors], axis=1),
        "input_scale": np.array(scales).T,
        "anchor": np.stack([anchor.weights for anchor in anchors[: len(settings.targets)]]),
        "output_scale": np.ones((settings.horizon, len(settings.targets))),
        "residuals": np.empty((0, settings.horizon, len(settings.targets))),
        **({"ahead": ahead} if settings.known else {}),
    }


def _input_scales(column: Floats, settings: ForecasterSettings, anchor: Anchor, known: Floats) -> tuple[float, float]:
    """Return the spread of a column beside the last value of a window, and without its season."""
    windows, context = Windows(column[:, None]), settings.context
    origins = spread(np.arange(context, len(column) + 1), MOST_ORIGINS)
    values = windows.before(origins, context)[:, :, 0]
    phase = np.concatenate([Waves(settings.cycles, PROFILE_WAVES).at(np.arange(len(column))), known], axis=1)
    phases = (phase @ anchor.profile)[origins[:, None] + np.arange(-context, 0)]
    without_season = values - phases
    level = anchor.level if anchor.returning else without_season[:, -1:]
    least = max(LEAST, LEAST_SCALE * abs(anchor.level))
    views = values - values[:, -1:], without_season - level
    relative, deseasonalized = (max(least, float(np.sqrt(np.square(view).mean()))) for view in views)
    return relative, deseasonalized
