"""What a person gives to step through: a text, or an example of a file."""

import sys
from argparse import Namespace
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import TypeVar

from elman._errors import InputError, OptionError
from elman.cli._texts import read_texts, standard_input

__all__ = ["example_of", "given_file", "given_text"]

Item = TypeVar("Item")


def given_text(options: Namespace, column: str) -> str:
    """Return the text of the arguments.

    Args:
        options: of the command.
        column: of a table that holds texts.

    Raises:
        InputError: there is none, or two, or the file cannot be read.
    """
    if options.file is None:
        if options.text is None:
            raise InputError("expected TEXT or --file, got none")
        if options.example is not None:
            raise OptionError("example", "none without --file", options.example)
        if options.text == "-":
            return standard_input(options.encoding)
        _hint(options.text)
        return str(options.text)
    file = given_file(options)
    with read_texts(file, column, options.encoding) as (texts, _):
        return example_of(texts, options.example, file)


def given_file(options: Namespace) -> str:
    """Return the name of the file of the arguments.

    Raises:
        InputError: there is none, or two.
    """
    if options.file is not None and options.text is not None:
        raise InputError("expected TEXT or --file, got both")
    file: str | None = options.file if options.text is None else options.text
    if file is None:
        raise InputError("expected a file of sequences, got none")
    return file


def example_of(examples: Iterable[Item], number: int | None, file: str) -> Item:
    """Return one of a file's examples.

    Raises:
        InputError: there is none of that number, counted from 1.
    """
    number = 1 if number is None else number
    if number < 1:
        raise OptionError("example", "an integer of at least 1", number)
    for example in islice(examples, number - 1, None):
        return example
    raise InputError(f"{file}: expected {number:,} examples or more, got fewer")


def _hint(text: str) -> None:
    """Say how a file is read, where a text is the name of one."""
    try:
        is_file = Path(text).is_file()
    except (OSError, ValueError):  # a text longer than names may be, or with a NUL
        is_file = False
    if is_file:
        print(f"{text} is taken for a text, though there is such a file: --file {text} reads it", file=sys.stderr)
