"""The commands for forecasters."""

import csv
import io
import json
import math
import sys
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np

from elman._errors import InputError, OptionError
from elman._figures import counted
from elman.cli._arguments import asked_format
from elman.cli._given import given_file
from elman.cli._wording import printable
from elman.runtime import Forecaster, Trace
from elman.runtime._forecaster.context import Context
from elman.runtime._forecaster.forecaster import Forecast

__all__ = [
    "OPTIONS",
    "describe",
    "evaluate",
    "predict",
    "read_context",
    "say_doubt",
    "show",
    "trace",
    "warn_of_few",
    "written",
]

OPTIONS: tuple[str, ...] = ("horizon", "dates", "decimal")

COLUMNS = {"mae": "MAE", "naive_mae": "naive", "seasonal_naive_mae": "seasonal naive", "interval_coverage": "coverage"}


def evaluate(model: Forecaster, options: Namespace) -> dict[str, Any]:
    from elman.runtime._forecaster.rolling import rolling_report

    context = read_context(model, options)
    started = time.perf_counter()
    report = rolling_report(model, context, options.horizon)
    report |= {name: _finite(value) for name, value in report.items() if isinstance(value, float)}
    return report | {"seconds": time.perf_counter() - started}


def show(report: dict[str, Any]) -> None:
    made, steps = counted(report["examples"], "forecast"), counted(report["horizon"], "step")
    print(f"{made} of {steps} in {report['seconds']:.2f} s")
    print(f"the file {report['series']}\n")
    rows = {"": report} if len(report["targets"]) == 1 else report["targets"] | {"mean": report}
    width = max(map(len, rows))
    print(" " * width, *(f"{title:>14}" for title in COLUMNS.values()))
    for name, figures in rows.items():
        *errors, coverage = (figures[key] for key in COLUMNS)
        print(f"{printable(name):<{width}}", *(f"{error:>14.4g}" for error in errors), f"{coverage:>14.1%}")
    best = min(report["naive_mae"], report["seasonal_naive_mae"])
    if report["mae"] >= best:
        print("\nThe model does not beat the better of the two naive forecasts here.")


def predict(model: Forecaster, options: Namespace) -> None:
    format = asked_format(options.format, "csv", "json")
    say_doubt(model, options.model)
    context = read_context(model, options)
    forecast = model.forecast_after(context)
    sys.stdout.write(written(model, forecast, format))
    warn_of_few(forecast)


def describe(model: Forecaster) -> dict[str, str]:
    settings = model.settings
    layers, grid = settings.layers, settings.grid
    first, last = grid.label(0), grid.label(settings.steps - 1)
    strategy = "direct" if settings.block == settings.horizon else f"recursive, {settings.block} at a time"
    used = "" if model.output_scale.any() else ", which add nothing to the simple forecasts"
    logarithms = [name for name, logarithm in zip(settings.names, settings.logarithm, strict=True) if logarithm]
    return {
        "targets": ", ".join(settings.targets),
        **({"covariates": ", ".join(settings.covariates)} if settings.covariates else {}),
        **({"known ahead": ", ".join(settings.known)} if settings.known else {}),
        "series": f"{settings.steps:,} steps of {grid.describe()}, {first} to {last}",
        "horizon": f"{counted(settings.horizon, 'step')}, {strategy}",
        "season": f"{settings.season} steps" if settings.season > 1 else "none",
        **({"forecast in logarithms": ", ".join(logarithms)} if logarithms else {}),
        "networks": f"{layers.networks} of {layers.describe()}, {settings.features} inputs, "
        f"{settings.context} steps read{used}",
        "intervals": f"{settings.coverage:.0%}, from "
        f"{model.few(settings.calibration) or counted(settings.calibration, 'forecast')} of the held-out part",
        **({"mind": settings.doubt} if settings.doubt else {}),
    }


def trace(model: Forecaster, options: Namespace) -> Trace:
    if options.example is not None:
        raise OptionError("example", "none for a forecaster, which reads the whole file", options.example)
    if options.file is None and options.text is None:
        return model.trace()
    from elman.runtime._forecaster.tracing import traced

    options.file = given_file(options)
    return traced(model, read_context(model, options))


def read_context(model: Forecaster, options: Namespace) -> Context:
    """Read the series of a file with the columns of the model's, and place it beside the training series."""
    from elman.tasks._forecaster.files import SeriesColumns, read_series

    settings, file = model.settings, options.file
    columns = SeriesColumns(settings.columns.get("time"), tuple(settings.targets), tuple(settings.covariates))
    notation = {"dates": options.dates, "decimal": options.decimal, "like": settings.columns.get("decimal")}
    series = read_series(file, columns, options.encoding, settings.grid, **notation)
    for notice in series.notices:
        print(f"{file}: {notice}", file=sys.stderr)
    try:
        return model.place(series, timed=columns.time is not None)
    except InputError as error:
        raise InputError(f"{file}: {error}") from None


def say_doubt(model: Forecaster, folder: Path) -> None:
    """Say on standard error, before a forecast is used, where a naive one would have done better."""
    if model.settings.doubt:
        print(f"{printable(str(folder))}: {model.settings.doubt}", file=sys.stderr)


def _finite(value: float) -> float | None:
    """Return what JSON has a number for: a model with NaN in it forecasts NaN."""
    return value if math.isfinite(value) else None


def warn_of_few(forecast: Forecast) -> None:
    """Say if the intervals rest on few forecasts."""
    if few := Forecaster.few(forecast.calibration):
        print(f"the intervals rest on {few} of the held-out part, and are rough", file=sys.stderr)


def written(model: Forecaster, forecast: Forecast, format: str) -> str:
    """Return a forecast as CSV, a row a step, or as one JSON object."""
    targets, time_name = model.settings.targets, model.settings.columns.get("time") or "step"
    if format == "json":
        parts = {"values": forecast.values, "lower": forecast.lower, "upper": forecast.upper}
        per_target = {
            target: {name: [_finite(value) for value in array[:, column].tolist()] for name, array in parts.items()}
            for column, target in enumerate(targets)
        }
        of_intervals = {"coverage": forecast.coverage, "calibration": forecast.calibration}
        record = {"times": forecast.times, **of_intervals, "targets": per_target}
        return json.dumps(record, ensure_ascii=False) + "\n"
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([time_name, *(f"{target}{end}" for target in targets for end in ("", "_lower", "_upper"))])
    digits = [_decimals(forecast, column) for column in range(len(targets))]
    for step, label in enumerate(forecast.times):
        values = (
            f"{array[step, column]:.{decimals}f}"
            for column, decimals in enumerate(digits)
            for array in (forecast.values, forecast.lower, forecast.upper)
        )
        writer.writerow([label, *values])
    return text.getvalue()


def _decimals(forecast: Forecast, column: int) -> int:
    """Return how many decimals show three digits of the narrowest interval, or six of the values if it has no width."""
    half = np.min((forecast.upper - forecast.lower)[:, column]) / 2
    scale, wanted = (half, 3) if half > 0 else (np.max(np.abs(forecast.values[:, column])), 6)
    return int(min(12, max(0, wanted - 1 - math.floor(math.log10(scale))))) if 0 < scale < math.inf else 6
