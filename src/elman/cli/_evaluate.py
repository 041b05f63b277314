"""``elman evaluate``."""

import json
from argparse import Namespace

from elman._errors import about
from elman.cli._arguments import (
    add_encoding,
    add_known_column,
    add_model,
    add_notation,
    add_threads,
    integer,
    use_threads,
)
from elman.cli._parser import Commands, add_command
from elman.cli._texts import use_utf_8
from elman.cli.kinds import check_options, load_model

__all__ = ["add_evaluate", "evaluate"]


def add_evaluate(commands: Commands) -> None:
    summary = "Measure a model on data that it has not seen."
    parser = add_command(commands, "evaluate", summary, evaluate)
    add_model(parser.arguments)
    parser.arguments.add_argument("file", metavar="FILE", help="Data of the kind that the model was trained on")
    add_known_column(parser.options, "text")
    add_known_column(parser.options, "label")
    parser.options.add_argument(
        "--horizon", metavar="N", type=integer, help="Steps of a forecast (default: the model's)"
    )
    add_encoding(parser.options, "file")
    add_notation(parser.options)
    add_threads(parser.options)
    parser.options.add_argument("--json", action="store_true", help="Print one JSON object")


def evaluate(options: Namespace) -> None:
    use_threads(options.threads)
    model, module = load_model(options.model)
    check_options(module, options)
    with about(options.file if options.file != "-" else "standard input", options.file):
        report = module.evaluate(model, options)
    if options.json:
        use_utf_8()
        print(json.dumps(report, ensure_ascii=False))
    else:
        module.show(report)
        if few := model.few(report["examples"]):
            print(f"\nThese figures rest on {few}, and are rough.")
