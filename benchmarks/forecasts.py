"""Forecasts of `elman train forecast` beside AutoETS, AutoTheta, MSTL and Prophet: a table of docs/results.md.

    pip install statsforecast prophet pmdarima vega_datasets statsmodels
    python benchmarks/forecasts.py              every series (half an hour)
    python benchmarks/forecasts.py --only air   one; may be repeated

Eight origins, evenly over the end of each series, which decides nothing. The others are fitted anew at each of them;
ours is trained once, before the first.
"""

import argparse
import logging
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
DATA = Path(__file__).parents[1] / "data"
ORIGINS, LONGEST = 8, 4000  # of a series, the last steps that the others are fitted to
LONGEST_ETS = 24  # season


@dataclass(frozen=True)
class Case:
    """A series: its times, values, steps ahead, seasons, and the share at its end that is forecast."""

    name: str
    times: list[str]
    values: Floats
    horizon: int
    seasons: tuple[int, ...]
    share: float


def months(year: int, count: int) -> list[str]:
    return [f"{year + i // 12}-{i % 12 + 1:02}" for i in range(count)]


def quarters(year: int, count: int) -> list[str]:
    return [f"{year + i // 4}Q{i % 4 + 1}" for i in range(count)]


def moments(first: str, count: int, minutes: int) -> list[str]:
    start = np.datetime64(first, "m")
    return [str(start + i * minutes).replace("T", " ") for i in range(count)]


def cases() -> Iterator[Case]:
    import pandas
    import pmdarima.datasets as shipped
    from statsmodels.datasets import elec_equip
    from vega_datasets import data

    co2 = pandas.read_csv(DATA / "co2.csv", dtype={"date": str})
    yield Case("co2", list(co2.date), co2.co2.to_numpy(float), 8, (52,), 0.2)
    half_hours = shipped.load_taylor()
    yield Case("taylor", moments("2000-06-05", len(half_hours), 30), half_hours, 48, (48, 336), 0.2)
    beer = shipped.load_ausbeer()
    beer = beer[np.isfinite(beer)]
    yield Case("ausbeer", quarters(1956, len(beer)), beer, 8, (4,), 0.2)
    air = shipped.load_airpassengers()
    yield Case("air", months(1949, len(air)), air, 12, (12,), 0.25)
    spots = shipped.load_sunspots()
    yield Case("sunspots_m", months(1749, len(spots)), spots, 12, (132,), 0.2)
    days = data.seattle_weather()
    for name, column in (("seattle_max", days.temp_max), ("seattle_min", days.temp_min)):
        yield Case(name, list(days.date.dt.strftime("%Y-%m-%d")), column.to_numpy(float), 7, (7, 365), 0.25)
    for name, table in (("sf_temps", data.sf_temps()), ("seattle_temps", data.seattle_temps())):
        hours = table.sort_values("date").drop_duplicates("date")
        times = list(hours.date.dt.strftime("%Y-%m-%d %H:%M"))
        yield Case(name, times, hours.temp.to_numpy(float), 24, (24,), 0.2)
    wine, wool = shipped.load_wineind(), shipped.load_woolyrnq()
    yield Case("wineind", months(1980, len(wine)), wine, 12, (12,), 0.25)
    yield Case("woolyrnq", quarters(1965, len(wool)), wool, 4, (4,), 0.25)
    orders = elec_equip.load().data.iloc[:, -1].to_numpy(float)
    yield Case("elec_equip", months(1995, len(orders)), orders, 12, (12,), 0.25)
    jobs = data.us_employment().nonfarm.to_numpy(float)
    yield Case("employment", months(2006, len(jobs)), jobs, 12, (12,), 0.25)
    nino = pandas.read_csv(DATA / "elnino.csv").to_numpy(float)[:, 1:].ravel()
    yield Case("elnino", months(1950, len(nino)), nino, 6, (12,), 0.2)
    yearly = pandas.read_csv(DATA / "sunspots.csv")
    yield Case("sunspots", [str(int(y)) for y in yearly.iloc[:, 0]], yearly.iloc[:, 1].to_numpy(float), 3, (11,), 0.2)


def errors(case: Case) -> dict[str, float]:
    """Return the mean absolute error of each method."""
    from statsforecast.models import MSTL, AutoETS, AutoTheta

    values, horizon, season = case.values, case.horizon, case.seasons[0]
    begin = len(values) - round(len(values) * case.share)
    origins = np.unique(np.linspace(begin, len(values) - horizon, ORIGINS).round().astype(int)).tolist()
    known = np.isfinite(values)
    filled = np.interp(np.arange(len(values)), np.flatnonzero(known), values[known])

    def error(forecast: Callable[[int], Floats]) -> float:
        return float(np.nanmean([np.abs(forecast(i) - values[i : i + horizon]) for i in origins]))

    def of(model: Callable[[], Any]) -> float:
        return error(lambda i: np.asarray(model().forecast(y=filled[max(0, i - LONGEST) : i], h=horizon)["mean"]))

    def repeated(length: int) -> float:
        return error(lambda i: filled[i - length + np.arange(horizon) % length])

    return {
        "elman": error(ours(case, begin)),
        "naive": error(lambda i: np.repeat(filled[i - 1], horizon)),
        "seasonal naive": min(map(repeated, case.seasons)),
        "AutoETS": of(lambda: AutoETS(season_length=season if season <= LONGEST_ETS else 1)),
        "AutoTheta": of(lambda: AutoTheta(season_length=season)),
        "MSTL": of(lambda: MSTL(season_length=list(case.seasons))),
        "Prophet": prophet(case, filled, error),
    }


def ours(case: Case, begin: int) -> Callable[[int], Floats]:
    from elman.tasks import Forecaster

    model = Forecaster(horizon=case.horizon).fit(case.values[:begin], case.times[:begin]).model_
    return lambda i: model.forecast(history=case.values[:i], times=case.times[:i]).values[:, 0]


def prophet(case: Case, filled: Floats, error: Callable[[Callable[[int], Floats]], float]) -> float:
    import pandas
    from prophet import Prophet

    if "Q" in case.times[0]:
        days = pandas.PeriodIndex(case.times, freq="Q").to_timestamp().to_series().reset_index(drop=True)
    else:
        ends = "-01-01" if len(case.times[0]) == 4 else ""
        days = pandas.Series(pandas.to_datetime([time + ends for time in case.times]))

    def forecast(origin: int) -> Floats:
        model = Prophet().fit(pandas.DataFrame({"ds": days[:origin], "y": filled[:origin]}))
        ahead = pandas.DataFrame({"ds": days[origin : origin + case.horizon]})
        return np.asarray(model.predict(ahead).yhat, dtype=np.float64)

    try:
        return error(forecast)
    except pandas.errors.OutOfBoundsDatetime:  # centuries are too long for its nanoseconds
        return float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", metavar="NAME")
    only = parser.parse_args().only
    warnings.simplefilter("ignore")
    for name in ("cmdstanpy", "prophet"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    first = True
    for case in cases():
        if only and case.name not in only:
            continue
        found = errors(case)
        if first:
            print("| series |", *(f"{method} |" for method in found))
            print("|---|", *("---|" for _ in found), sep="")
        first = False
        print(f"| {case.name} |", *(f"{error:.4g} |" for error in found.values()), flush=True)


if __name__ == "__main__":
    main()
