"""Errors beside those of naive forecasts."""

from types import SimpleNamespace

import numpy as np
import pytest

from elman.runtime._forecaster.rolling import Rolling
from elman.runtime._forecaster.settings import GREATEST_RATIO
from elman.tasks._forecaster.calibrating import possible_ratios
from elman.tasks._forecaster.training import ratio


def test_an_error_on_a_series_that_repeats_itself_exactly_is_the_greatest_ratio_without_a_warning() -> None:
    found = {"mae": np.array([2.0, 1e300]), "seasonal_naive_mae": np.zeros(2)}
    assert ratio(found) == GREATEST_RATIO
    assert ratio({"mae": np.zeros(1), "seasonal_naive_mae": np.zeros(1)}) == 0


def possible(origins: int, own: float, horizon: int = 3, spread: float = 1.0) -> float:
    """The possible ratio, the errors of a naive forecast being some 2 and one's own some ``own``."""
    generator = np.random.default_rng(0)
    truth = np.zeros((origins, horizon, 1))
    naive, said = (error + generator.uniform(-spread / 2, spread / 2, (origins, 1, 1)) + truth for error in (2.0, own))
    rolling = Rolling(truth, said, naive, naive + 1, np.arange(origins))
    (found,) = possible_ratios(SimpleNamespace(restored=np.array), rolling)
    return float(found)


def test_few_forecasts_leave_possible_what_many_rule_out() -> None:
    assert 0.89 < possible(1200, 1.8) < 0.95 < 1.02 < possible(12, 1.8)
    assert possible(12, 1.0) < 1
    assert possible(1200, 2.2) > 1
    assert possible(12, 1.6, spread=0) == pytest.approx(1.6 / 2)
    assert possible(12, 1.6) < possible(12, 1.6, horizon=12)


def test_what_is_missing_is_left_out() -> None:
    truth = np.array([[[1.0], [np.nan]], [[np.nan], [2.0]]])
    rolling = Rolling(truth, truth + 1, truth + 2, truth + 3, np.arange(2))
    assert possible_ratios(SimpleNamespace(restored=np.array), rolling).tolist() == [0.5]
    nothing = Rolling(*(np.full((1, 2, 1), np.nan),) * 4, np.arange(1))
    assert possible_ratios(SimpleNamespace(restored=np.array), nothing).tolist() == [1.0]
