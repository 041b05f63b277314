"""``elman train forecast``."""

from argparse import Namespace
from pathlib import Path

from elman.cli._arguments import integer, number
from elman.cli._parser import Commands, Group, add_command
from elman.cli._training import NEEDS, Data, add_files, add_network, add_running, add_training, train

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
    kinds = "A row a time: .csv, .tsv or .jsonl; or a year a row with the months in columns"
    parser.arguments.add_argument("file", metavar="FILE", type=Path, help=kinds)
    data = parser.add_argument_group("Data")
    add_files(data, "Share at the end to make choices by", share=0.2)
    data.add_argument("--time", metavar="COLUMN", help="Column of the times (default: the rows are the steps)")
    add_repeated(data, "target", "Column to forecast; may be repeated (default: the only one)")
    add_repeated(data, "covariate", "Column to read beside them; its past counts; may be repeated")
    _add_forecasting(parser.add_argument_group("Forecasting"))
    network = parser.add_argument_group("Network")
    add_network(network, hidden_size=32, embedding_size=None, dropout=0.2)
    network.add_argument("--networks", metavar="N", type=integer, default=3, help="Whose mean is taken")
    epochs = "At most (default: 5 to 100, by the series' length)"
    batch_size = "Of steps to forecast from (default: 16 to 64, by the series' length)"
    add_training(parser.add_argument_group("Training"), learning_rate=2e-3, epochs=epochs, batch_size=batch_size)
    add_running(parser.add_argument_group("Running"))


def add_repeated(group: Group, role: str, help: str) -> None:
    group.add_argument(f"--{role}", metavar="COLUMN", action="append", default=None, help=help)


def _add_forecasting(group: Group) -> None:
    add = group.add_argument
    add("--horizon", metavar="N", type=integer, help="Steps ahead (default: chosen from the data)")
    add("--season", metavar="N", type=integer, help="Steps of a season, 1: none (default: found in the data)")
    add("--context", metavar="N", type=integer, help="Steps that the networks read (default: two seasons, 16 to 104)")
    add("--strategy", metavar="direct|recursive", help="All steps at once, or one by one (default: what does better)")
    add("--coverage", metavar="SHARE", type=number, default=0.9, help="Of true values within the intervals")


def train_forecast(options: Namespace) -> int:
    from elman._errors import InputError, OptionError

    if isinstance(options.validation, Path):
        raise OptionError("validation", "a share of the series", str(options.validation))
    if str(options.file) == "-":
        raise InputError("FILE: expected a file to train on, got standard input")
    return train(options, "Forecaster", lambda: _read(options), NEXT)


def _read(options: Namespace) -> Data:
    from elman.tasks._forecaster.files import find_columns, read_series

    found = find_columns(options.file, options.time, options.target or (), options.covariate or (), options.encoding)
    series = read_series(options.file, found, options.encoding)
    return Data((series,), {"covariates": len(found.covariates)}, {"time": found.time})
