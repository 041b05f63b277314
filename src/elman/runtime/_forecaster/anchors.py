"""Simple forecasts, whose mix a network then corrects, and the waves of the calendar."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from elman.runtime._arrays import Array

__all__ = ["CANDIDATES", "LAST_VALUE", "RECENT", "RELATIVE", "SEASONAL_NAIVE", "Waves", "candidates", "mixed"]

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


def candidates(windows: Array, past: Array, future: Array, level: float, season: int) -> Floats:
    """Return the simple forecasts of one column, (origins, horizon, len(CANDIDATES)).

    Args:
        windows: (origins, length) the values before; length is more than the season.
        past: (origins, length) what the phase adds to the level at each of them.
        future: (origins, horizon) what it adds later.
        level: the column's mean.
        season: in steps; 1: none.
    """
    (origins, length), horizon = windows.shape, future.shape[1]
    last, ahead = windows[:, -1:], np.arange(horizon)
    forecasts = np.empty((origins, horizon, len(CANDIDATES)))
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
    return forecasts


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
