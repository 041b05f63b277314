"""Simple forecasts, whose mix a network then corrects, and the waves of the calendar."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from elman.runtime._arrays import Array

__all__ = [
    "CANDIDATES",
    "LAST_VALUE",
    "RECENT",
    "RELATIVE",
    "SEASONAL_NAIVE",
    "Waves",
    "candidates",
    "mixed",
    "names_of",
]

CANDIDATES = (
    "last value",
    "last value and trend",
    "mean of the last season",
    "mean of the phase",
    "last value and the phase's change",
    "seasonal naive",
    "last value and last season's change",
    "seasonal naive and growth",
)
RELATIVE = (0, 1, 2, 4, 5, 6, 7)  # those that need no level to which a series returns
OF_SEASON = (
    "value a season of {} before",
    "last value and the change of a season of {} before",
    "value a season of {} before, moved by the phase",
    "mean of the last seasons of {}",
    "mean of the last seasons of {}, and their last change",
    "mean of the last seasons of {}, at the level of the last one",
    "mean of the last seasons of {}, at the level of the last one and growing",
)
SMOOTHINGS = (0.5, 0.2, 0.05)  # weights of the last value in exponentially smoothed levels
MOST_SEASONS = 8  # of whose mean a forecast is made
LAST_VALUE, SEASONAL_NAIVE = 0, 5
RECENT = 10  # steps of a mean, where there is no season
PAGE = 512  # steps whose waves are computed at once

Floats = NDArray[np.float64]


class Waves:
    """Sines and cosines of the calendar's cycles and of the season.

    Args:
        cycles: lengths in steps.
        most: of the waves of each cycle; none is shorter than two steps.
    """

    def __init__(self, cycles: Sequence[float], most: int) -> None:
        self.angles: list[tuple[float, bool]] = []  # for each step, and whether it is a cosine
        for cycle in cycles:
            for wave in range(1, min(most, int(cycle / 2 + 0.01)) + 1):
                angle = 2 * math.pi * wave / cycle
                self.angles += [(angle, True)] if 2 * wave >= cycle else [(angle, False), (angle, True)]

    def __len__(self) -> int:
        return len(self.angles)

    def at(self, steps: NDArray[np.int64]) -> Floats:
        """Return their values, (…, waves), at steps of any shape: those of a step are the same bits in any array."""
        values = np.empty((*steps.shape, len(self.angles)))
        pages = steps // PAGE
        for page in np.unique(pages).tolist():
            here = pages == page
            values[here] = _page(tuple(self.angles), page)[steps[here] - page * PAGE]
        return values


@lru_cache(maxsize=64)
def _page(angles: tuple[tuple[float, bool], ...], page: int) -> Floats:
    table = np.empty((PAGE, len(angles)))
    for column, (angle, is_cosine) in enumerate(angles):
        function = math.cos if is_cosine else math.sin
        table[:, column] = [function(angle * step) for step in range(page * PAGE, (page + 1) * PAGE)]
    table.flags.writeable = False
    return table


def names_of(seasons: Sequence[int]) -> list[str]:
    """Return the names of the simple forecasts: those of every series, and, where seasons are given, those of each."""
    smoothed = [f"level smoothed by {share:g}, and the phase" for share in SMOOTHINGS] if seasons else []
    return [*CANDIDATES, *smoothed, *(name.format(season) for season in seasons for name in OF_SEASON)]


def candidates(
    windows: Array, past: Array, future: Array, level: float, season: int, seasons: Sequence[int] = ()
) -> Floats:
    """Return the simple forecasts of one column, (origins, horizon, simple forecasts), as :func:`names_of` has them.

    Args:
        windows: (origins, length) the values before; length is more than the season.
        past: (origins, length) what the phase adds to the level at each of them.
        future: (origins, horizon) what it adds later.
        level: the column's mean.
        season: in steps; 1: none.
        seasons: all seasons whose own forecasts are wanted; a season of 1 is the last values.
    """
    (origins, length), horizon = windows.shape, future.shape[1]
    last, ahead = windows[:, -1:], np.arange(horizon)
    forecasts = np.empty((origins, horizon, len(names_of(seasons))))
    forecasts[:, :, 0] = last
    span = (length - 1) // season * season
    forecasts[:, :, 1] = last + (ahead + 1) * ((last - windows[:, -1 - span, None]) / span)
    forecasts[:, :, 2] = _mean(windows[:, -(season if season > 1 else min(RECENT, length)) :])[:, None]
    forecasts[:, :, 3] = level + future
    forecasts[:, :, 4] = last + (future - past[:, -1:])
    forecasts[:, :, 5] = windows[:, length - season + ahead % season]
    forecasts[:, :, 6] = last + (forecasts[:, :, 5] - windows[:, -1 - season, None])
    recent = min(season, length - season)
    growth = _mean(windows[:, -recent:]) - _mean(windows[:, length - recent - season : length - season])
    forecasts[:, :, 7] = forecasts[:, :, 5] + growth[:, None]
    place = len(CANDIDATES)
    for share in SMOOTHINGS if seasons else ():
        forecasts[:, :, place] = _smoothed(windows - past, share)[:, None] + future
        place += 1
    for each in seasons:
        forecasts[:, :, place : place + len(OF_SEASON)] = _of_season(windows, past, future, each)
        place += len(OF_SEASON)
    return forecasts


def _of_season(windows: Array, past: Array, future: Array, season: int) -> Floats:
    """Return what a season alone says, (origins, horizon, len(OF_SEASON))."""
    (origins, length), horizon = windows.shape, future.shape[1]
    last, ahead = windows[:, -1:], np.arange(horizon) % season
    before = windows[:, length - season + ahead]
    count = max(1, min(MOST_SEASONS, (length - 1) // season))
    total, total_last = np.zeros((origins, horizon)), np.zeros((origins, 1))
    for number in range(1, count + 1):
        total += windows[:, length - number * season + ahead]
        total_last += windows[:, length - number * season - 1, None]
    forecasts = np.empty((origins, horizon, len(OF_SEASON)))
    forecasts[:, :, 0] = before
    forecasts[:, :, 1] = last + (before - windows[:, -1 - season, None])
    forecasts[:, :, 2] = before + (future - past[:, length - season + ahead])
    forecasts[:, :, 3] = total / count
    forecasts[:, :, 4] = last + (total - total_last) / count
    level = _mean(windows[:, -season:])
    forecasts[:, :, 5] = total / count + (level - _mean(windows[:, -count * season :]))[:, None]
    recent = min(season, length - season)
    growth = _mean(windows[:, -recent:]) - _mean(windows[:, length - recent - season : length - season])
    forecasts[:, :, 6] = forecasts[:, :, 5] + growth[:, None] * (1 + np.arange(horizon) // season)
    return forecasts


def _smoothed(values: Array, share: float) -> Floats:
    """Return the exponentially smoothed level, (origins,), at the end of windows."""
    level: Floats = np.array(values[:, 0])
    for column in values.T[1:]:
        level += share * (column - level)
    return level


def mixed(forecasts: Array, weights: Array) -> Floats:
    """Return the weighted sum, (origins, horizon), of simple forecasts by weights (horizon, candidates)."""
    total = np.zeros(forecasts.shape[:2])
    for number in range(weights.shape[1]):
        total += forecasts[:, :, number] * weights[:, number]
    return total


def _mean(windows: Array) -> Floats:
    total: Floats = np.zeros(len(windows))
    for column in windows.T:  # in this order, whatever lies beside: NumPy's own depends on the shape
        total += column
    total /= windows.shape[1]
    return total
