"""The commands, and what becomes of their errors."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from elman._errors import InputError, OptionError, in_shell
from elman._extras import import_fault
from elman.cli._bench import add_bench
from elman.cli._evaluate import add_evaluate
from elman.cli._export import add_export
from elman.cli._forecast import add_forecast
from elman.cli._generate import add_generate
from elman.cli._info import add_info
from elman.cli._parser import Parser
from elman.cli._predict import add_predict
from elman.cli._show import add_show
from elman.cli._train import add_train, repeated

__all__ = ["build_parser", "run"]


def build_parser() -> Parser:
    """Return the parser of the whole command line."""
    summary = "Train recurrent networks on your own data, evaluate them, and predict with them."
    parser = Parser(prog="elman", description=summary)
    parser.options.add_argument(
        "--version", action=_Version, nargs=0, default=argparse.SUPPRESS, help="Show the version and exit"
    )
    commands = parser.add_commands("command")
    others = (add_generate, add_forecast, add_show, add_info, add_export, add_bench)
    for add in (add_train, add_evaluate, add_predict, *others):
        add(commands)
    return parser


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *given: Any) -> None:
        from elman import __version__  # read from the installed package's metadata, which takes a while

        print(f"elman {__version__}")
        parser.exit()


def run(words: Sequence[str]) -> int:
    """Run a command and return its exit code; errors a person can mend become one line on standard error."""
    try:
        options = build_parser().parse_args(repeated(words))
    except InputError as error:
        return _refuse(_message(error), code=2)
    except SystemExit as done:  # after help, the version, or a usage error
        return int(done.code or 0)
    try:
        if options.needs:
            options.needs.require(options.command)
        with in_shell():
            code: int | None = options.run(options)
    except InputError as error:
        return _refuse(_message(error), code=2)
    except Exception as error:
        if fault := import_fault(error):
            return _refuse(fault, code=1)
        if not isinstance(error, ImportError):
            raise
        return _refuse(str(error), code=2 if str(error).startswith("ELMAN_ISA") else 1)  # the engine, when it is loaded
    return code or 0


def _message(error: InputError) -> str:
    message = str(error)
    if isinstance(error, OptionError):
        return f"--{error.option.replace('_', '-')}{message.removeprefix(error.option)}"
    return message


def _refuse(message: str, code: int) -> int:
    print(f"elman: {' '.join(message.splitlines())}", file=sys.stderr)
    return code
