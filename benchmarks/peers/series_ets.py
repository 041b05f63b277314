"""Forecast a series with exponential smoothing (statsmodels ETS), trend and season chosen by AIC on the training part.

The parameters are fitted once; then it forecasts from every step of the test part, as ``elman evaluate`` does.
Missing values are interpolated for it, and not counted.
"""

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from shared import report, timed
from statsmodels.tsa.exponential_smoothing.ets import ETSModel

TRENDS: tuple[dict[str, Any], ...] = ({}, {"trend": "add"}, {"trend": "add", "damped_trend": True})

Series = NDArray[np.float64]


def read(path: str) -> Series:
    """Return the values of a file: all columns but the first, row by row; NaN where a field is empty."""
    _, *lines = Path(path).read_text(encoding="utf-8").splitlines()
    return np.array([float(field or "nan") for line in lines for field in line.split(",")[1:]])


def filled(series: Series) -> Series:
    places = np.arange(len(series))
    known = np.isfinite(series)
    return np.interp(places, places[known], series[known])


def model_of(series: Series, options: dict[str, Any]) -> Any:
    return ETSModel(series, error="add", initialization_method="heuristic", **options)


def main() -> None:
    warnings.simplefilter("ignore")  # of fits that stop at their greatest number of steps
    train, test, horizon, season = read(sys.argv[1]), read(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    known = filled(train)
    seasons: tuple[dict[str, Any], ...] = ({}, {"seasonal": "add", "seasonal_periods": season})
    choices = [{**trend, **seasonal} for trend in TRENDS for seasonal in seasons]
    fits, training = timed(lambda: [(model_of(known, options).fit(disp=False), options) for options in choices])
    best, options = min(fits, key=lambda fit: fit[0].aic)
    series = filled(np.concatenate([train, test]))

    def forecasts() -> list[Series]:
        origins = range(len(train), len(series) - horizon + 1)
        past = ((origin, model_of(series[:origin], options).smooth(best.params)) for origin in origins)
        return [np.abs(smoothed.forecast(horizon) - true[origin : origin + horizon]) for origin, smoothed in past]

    true = np.concatenate([train, test])
    errors, prediction = timed(forecasts)
    report(training, prediction, mae=float(np.nanmean(errors)), chosen=options, examples=len(errors))


if __name__ == "__main__":
    main()
