"""Arguments that several commands take, and the types of values."""

from argparse import ArgumentTypeError
from pathlib import Path

from elman._errors import OptionError, either
from elman.cli._parser import Group

__all__ = [
    "add_encoding",
    "add_known_column",
    "add_model",
    "add_notation",
    "add_threads",
    "asked_format",
    "integer",
    "number",
    "use_threads",
]


def integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ArgumentTypeError(f"expected an integer, got {text!r}") from None


def number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ArgumentTypeError(f"expected a number, got {text!r}") from None


def add_model(group: Group, kinds: str = "A model folder") -> None:
    group.add_argument("model", metavar="MODEL", type=Path, help=kinds)


def add_known_column(group: Group, role: str) -> None:
    """Add the option of a column that the model has a name for."""
    group.add_argument(f"--{role}", metavar="COLUMN", help=f"Column of the {role}s (default: as in training)")


def add_encoding(group: Group, of: str) -> None:
    group.add_argument("--encoding", metavar="NAME", default="utf-8", help=f"Encoding of the {of}")


def add_notation(group: Group) -> None:
    """Add the options of how a table's dates and numbers are written, where they do not say it themselves."""
    dates = "day-first, month-first or year-first, of dates such as 01/02/24 (default: as the dates show)"
    group.add_argument("--dates", metavar="ORDER", help=dates)
    decimal = "What stands before decimals, as in 1,234 (default: as the numbers show)"
    group.add_argument("--decimal", metavar="point|comma", help=decimal)


def add_threads(group: Group) -> None:
    group.add_argument("--threads", metavar="N", type=integer, help="Threads to use (default: one a core)")


def asked_format(given: str | None, *formats: str) -> str:
    """Return the format of the output that a person asked for, the first of these where none was.

    Raises:
        OptionError: it is none of them.
    """
    if given is not None and given not in formats:
        raise OptionError("format", either(formats), given)
    return given or formats[0]


def use_threads(count: int | None) -> None:
    """Let predictions use so many threads."""
    from elman import InputError, set_num_threads
    from elman.runtime._threads import MOST

    if count is None:
        return
    try:
        set_num_threads(count)
    except InputError:
        raise OptionError("threads", f"an integer from 1 to {MOST}", count) from None
