"""``elman forecast``."""

import sys
from argparse import Namespace
from pathlib import Path

from elman.cli._arguments import (
    add_encoding,
    add_model,
    add_notation,
    add_threads,
    asked_format,
    integer,
    number,
    use_threads,
)
from elman.cli._outputs import may_plot, require_places
from elman.cli._parser import Commands, add_command
from elman.cli._texts import use_utf_8

__all__ = ["add_forecast", "forecast"]


def add_forecast(commands: Commands) -> None:
    parser = add_command(commands, "forecast", "Say what follows a series, with intervals.", forecast)
    add_model(parser.arguments, "Folder of a model that elman train forecast made")
    follows = "Series to go on from, - for standard input (default: that of training)"
    parser.arguments.add_argument("file", metavar="FILE", nargs="?", help=follows)
    add = parser.options.add_argument
    add("--horizon", metavar="N", type=integer, help="Steps ahead (default: those of training)")
    add(
        "--coverage",
        metavar="SHARE",
        type=number,
        help="Share of true values within the intervals (default: as in training)",
    )
    add("--format", metavar="csv|json", help="Format of the output (default: csv)")
    add("--out", metavar="FILE", type=Path, help="Where to write it (default: standard output)")
    add("--plot", metavar="FILE", type=Path, help="Picture to draw: .png, .svg or .pdf (needs the extra plot)")
    add("--overwrite", action="store_true", help="Replace the files of --out and --plot")
    add_encoding(parser.options, "file")
    add_notation(parser.options)
    add_threads(parser.options)


def forecast(options: Namespace) -> int:
    from elman._files import write_files
    from elman.cli.kinds.forecaster import read_context, say_doubt, warn_of_few, written
    from elman.runtime import Forecaster

    format = asked_format(options.format, "csv", "json")
    if options.plot and not may_plot(options.plot):
        return 1
    require_places((options.out, options.plot), options.overwrite)
    use_threads(options.threads)
    use_utf_8()
    model = Forecaster.load(options.model)
    context = model.following_training if options.file is None else read_context(model, options)
    say_doubt(model, options.model)
    found = model.forecast_after(context, options.horizon, options.coverage)
    text = written(model, found, format)
    if options.plot:
        from elman.cli._plot_forecast import plot

        plot(options.plot, model, context, found)
    if options.out:
        write_files(options.out.parent, {options.out.name: text.encode()})
    else:
        sys.stdout.write(text)
    warn_of_few(found)
    return 0
