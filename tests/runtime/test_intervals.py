"""How wide intervals are."""

import numpy as np
import pytest

from elman.runtime._forecaster.intervals import half_widths, quantile

RESIDUALS = np.sort(np.abs(np.random.default_rng(0).normal(size=(30, 3, 2))), axis=0)


@pytest.mark.parametrize(
    ("share", "freedom", "expected"),  # of tables
    [(0.95, 3, 2.353), (0.95, 5, 2.015), (0.95, 10, 1.812), (0.9, 4, 1.533), (0.975, 30, 2.042)],
)
def test_quantiles_are_those_of_tables(share, freedom, expected):
    assert quantile(share, freedom) == pytest.approx(expected, rel=5e-3)


def test_intervals_of_few_forecasts_are_wider_the_more_so_the_further_ahead():
    plain, wider = (half_widths(RESIDUALS, 5, 0.9, rough=rough) for rough in (False, True))
    factors = wider / plain
    assert (factors > 1.02).all()
    assert (np.diff(factors[:, 0]) >= 0).all()
    np.testing.assert_allclose(factors[0], quantile(0.95, 30) / quantile(0.95, 1e9), rtol=1e-5)
    np.testing.assert_allclose(wider[4] / wider[2], np.sqrt(5 / 3))


@pytest.mark.parametrize("coverage", [1e-9, 0.5, 0.999999, np.nextafter(1.0, 0.0)])
def test_any_coverage_has_a_width(coverage):
    widths = half_widths(RESIDUALS[:1], 4, coverage, rough=True)
    assert np.isfinite(widths).all()
    assert (widths > 0).all()
