"""The commands, and what becomes of their errors."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from elman import __version__
from elman.cli._evaluate import evaluate
from elman.cli._info import info
from elman.cli._predict import predict
from elman.cli._train_classify import classify

__all__ = ["app", "run"]

app = typer.Typer(
    name="elman",
    help="Train recurrent networks on your own data, evaluate them, and predict with them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
train = typer.Typer(help="Train a model.", no_args_is_help=True)
train.command("classify")(classify)
app.add_typer(train, name="train")
app.command("evaluate")(evaluate)
app.command("predict")(predict)
app.command("info")(info)

# typer's own class of usage errors; where it comes from differs between versions.
UsageError: type[Exception] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"elman {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version),
    ] = False,
) -> None:
    pass


def run(words: Sequence[str]) -> int:
    """Run a command and return its exit code; errors a person can mend become one line on standard error."""
    try:
        code = app(list(words), prog_name="elman", standalone_mode=False)
    except typer.Abort:
        return 130
    except UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error.format_message())  # type: ignore[attr-defined]
            return 2
        context = getattr(error, "ctx", None)
        return _refuse(error.format_message(), context.command_path if context else "elman")  # type: ignore[attr-defined]
    except SystemExit as error:  # typer's answer to a closed pipe
        if isinstance(error.__context__, BrokenPipeError):
            raise error.__context__ from None
        raise
    except ValueError as error:
        return _refuse(_input_message(error))
    return code if isinstance(code, int) else 0


def _refuse(message: str, command: str = "elman") -> int:
    print(f"{command}: {' '.join(message.splitlines())}", file=sys.stderr)
    return 2


def _input_message(error: ValueError) -> str:
    from elman._errors import InputError, OptionError

    if not isinstance(error, InputError):
        raise error
    message = str(error)
    if isinstance(error, OptionError):
        message = f"--{error.option.replace('_', '-')}{message.removeprefix(error.option)}"
    return message
