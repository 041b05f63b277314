"""How wide intervals are: by the errors of held-out forecasts, and wider where these are few."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from elman.runtime._arrays import Array

__all__ = ["half_widths", "quantile"]

NORMAL = float("inf")  # degrees of freedom of the normal distribution

Floats = NDArray[np.float64]


def half_widths(residuals: Array, horizon: int, coverage: float, *, rough: bool) -> Floats:
    """Return half the width of an interval at each step, (horizon, targets).

    It is a quantile of the residuals at that step, and at least that of the step before. Beyond their own horizon it
    grows with the square root of the distance.

    Args:
        residuals: (residuals, steps, targets) how far held-out forecasts were off, sorted along the first axis.
        horizon: steps ahead.
        coverage: between 0 and 1.
        rough: whether they are so few that the quantile is widened, as Student's t is beside the normal distribution.
    """
    count, trained = residuals.shape[:2]
    # forecasts n steps ahead overlap: n of them, from neighbouring steps, tell no more than one
    steps = range(1, trained + 1)
    ranks = [min(count, math.ceil((count + ahead) * coverage)) for ahead in steps]
    chosen = residuals[np.array(ranks) - 1, np.arange(trained)]
    if rough:
        chosen = chosen * np.array([[widening(coverage, count / ahead)] for ahead in steps])
    widths: Floats = np.maximum.accumulate(chosen)
    places = np.arange(horizon)
    growth = np.sqrt(np.maximum(1.0, (places + 1) / trained))
    grown: Floats = widths[np.minimum(places, trained - 1)] * growth[:, None]
    return grown


def quantile(share: float, freedom: float) -> float:
    """Return a quantile of Student's t, by its expansion about the normal one (Abramowitz and Stegun, 26.7.5).

    Args:
        share: above 0.5 and below 1.
        freedom: degrees of freedom; less than 1 counts as 1, where the expansion is 15 % short for a share of 0.95.
    """
    z, n = NormalDist().inv_cdf(share), max(1.0, freedom)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return sum(term / n**power for power, term in enumerate(terms))


def widening(coverage: float, freedom: float) -> float:
    """Return by how much an interval of some coverage is wider where its width is known from so few errors.

    It is rounded, lest its last digits differ between processors.
    """
    share = min((1 + coverage) / 2, 1 - 1e-12)  # of a coverage next to 1, which 1 + coverage rounds to 2
    return round(quantile(share, freedom) / quantile(share, NORMAL), 6)
