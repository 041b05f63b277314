import numpy as np

from elman.runtime._forecaster.settings import GREATEST_RATIO
from elman.tasks._forecaster.training import ratio


def test_an_error_on_a_series_that_repeats_itself_exactly_is_the_greatest_ratio_without_a_warning() -> None:
    found = {"mae": np.array([2.0, 1e300]), "seasonal_naive_mae": np.zeros(2)}
    assert ratio(found) == GREATEST_RATIO
    assert ratio({"mae": np.zeros(1), "seasonal_naive_mae": np.zeros(1)}) == 0
