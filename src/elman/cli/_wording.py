"""How errors and long lines are worded."""

import re
import shutil
import sys
from collections.abc import Iterable

__all__ = ["closest", "printable", "reword", "wrapped"]

REQUIRED = "the following arguments are required: "
REWORDED = {
    r"expected one argument": r"expected a value, got none",
    r"ignored explicit argument (.*)": r"expected no value, got \1",
}


def reword(message: str) -> str:
    """Say what argparse says in the words of our other errors."""
    if message.startswith(REQUIRED):
        return f"expected {' and '.join(message.removeprefix(REQUIRED).split(', '))}, got none"
    for theirs, ours in REWORDED.items():
        if found := re.fullmatch(theirs, message, re.DOTALL):
            return found.expand(ours)
    return message


def closest(word: str, names: Iterable[str]) -> str:
    """Return a question that names what was probably meant, or nothing."""
    from difflib import get_close_matches

    return "".join(f"; did you mean {name}?" for name in get_close_matches(word, list(names), n=1))


def printable(text: str) -> str:
    """Return a text from a model for a terminal: what does not print, and could command the terminal, is escaped."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def wrapped(text: str, indent: str = "") -> str:
    """Return a line for standard output: for a terminal broken between words, further lines after an indent."""
    if not sys.stdout.isatty():
        return text
    from textwrap import fill

    columns = shutil.get_terminal_size().columns
    return fill(text, columns, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
