"""``elman train forecast``."""

from argparse import Namespace
from dataclasses import replace
from pathlib import Path

from elman.cli._arguments import add_notation
from elman.cli._options import add_options
from elman.cli._parser import Commands, Group, add_command
from elman.cli._training import NEEDS, Data, add_files, add_running, train
from elman.tasks._forecaster.options import ForecasterOptions

__all__ = ["add_forecast_training", "train_forecast"]

NEXT = (
    "elman evaluate {model} later.csv",
    "elman forecast {model} --horizon 24 --plot forecast.png",
    "elman predict {model} later.csv",
    "elman info {model}",
)


def add_forecast_training(commands: Commands) -> None:
    summary = "Train a forecaster on a file with a series of numbers."
    parser = add_command(commands, "forecast", summary, train_forecast, NEEDS)
    contents = "A row a time: .csv, .tsv or .jsonl; or a year a row with the months in columns"
    parser.arguments.add_argument("file", metavar="FILE", type=Path, help=contents)
    data = parser.group("Data")
    add_files(data)
    times = "Column of the times; none: the rows are the steps (default: the one that holds dates, if any)"
    data.add_argument("--time", metavar="COLUMN", help=times)
    add_repeated(data, "target", "Column to forecast; may be repeated (default: the only other one of numbers)")
    add_repeated(data, "covariate", "Column to read beside them; its past counts; may be repeated")
    add_repeated(data, "known", "Column known ahead, such as holidays; may be repeated")
    add_notation(data)
    parser.group("Forecasting")  # before those of all tasks
    add_options(parser, ForecasterOptions)
    add_running(parser.group("Running"))


def add_repeated(group: Group, role: str, help: str) -> None:
    group.add_argument(f"--{role}", metavar="COLUMN", action="append", default=None, help=help)


def train_forecast(options: Namespace) -> int:
    from elman._errors import InputError

    if str(options.file) == "-":
        raise InputError("FILE: expected a file to train on, got standard input")
    return train(options, "Forecaster", ForecasterOptions, lambda: _read(options), NEXT)


def _read(options: Namespace) -> Data:
    from elman.tasks._forecaster.columns import said_of
    from elman.tasks._forecaster.files import BY_MONTHS, find_columns, read_series

    targets = options.target or ()
    roles = targets, options.covariate or (), options.known or ()
    found = find_columns(options.file, options.time, *roles, encoding=options.encoding)
    notation = {"dates": options.dates, "decimal": options.decimal}
    series = read_series(options.file, found, options.encoding, **notation)
    said = [] if BY_MONTHS in series.notices else said_of(found, options.time, targets)
    series = replace(series, notices=[*said, *series.notices])
    columns = {"time": found.time} | ({"decimal": series.decimal} if series.decimal else {})
    return Data((series,), {"covariates": len(found.covariates), "known": len(found.known)}, columns)
