"""The options of estimators as those of ``elman train``."""

from argparse import BooleanOptionalAction
from pathlib import Path
from typing import Any

from elman.cli._arguments import integer, number
from elman.cli._parser import Parser
from elman.tasks._options import Group, Help, Number, Option, TrainingOptions, options_of

__all__ = ["add_options"]


def add_options(parser: Parser, *estimators: type[TrainingOptions]) -> None:
    """Add the options of estimators to the groups that they name; what several have stands there once."""
    options: dict[str, Option] = {}
    for estimator in estimators:
        options = {option.name: option for option in options_of(estimator)} | options
    for option in options.values():
        _add(parser, option)


def _add(parser: Parser, option: Option) -> None:
    settings: dict[str, Any]
    help: Help = option.notes[Help]
    said, default = help.text, help.otherwise if option.optional else option.default
    if option.type is bool:
        settings, default = {"action": BooleanOptionalAction}, f"{'' if default else 'no-'}{option.name}"
        default = default.replace("_", "-")
    elif option.choices:
        settings = {"metavar": "|".join(option.choices)}
    elif option.type is int:
        settings = {"metavar": "N", "type": integer}
    else:
        limits: Number = option.notes[Number]
        takes_file = limits.metavar.endswith("FILE")
        settings = {"metavar": limits.metavar, "type": _fraction_or_file if takes_file else number}
        said += "; or a file in its place" * takes_file
    group = parser.group(option.notes[Group].title)
    action = group.add_argument(f"--{option.name.replace('_', '-')}", default=option.default, **settings)
    action.help = f"{said[0].upper()}{said[1:]} (default: {default})"


def _fraction_or_file(text: str) -> float | Path:
    try:
        return float(text)
    except ValueError:
        return Path(text)
