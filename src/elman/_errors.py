"""What a person can mend: their file, their folder, their options."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from reprlib import repr as shortened

__all__ = ["InputError", "OptionError", "about", "either", "in_shell", "listed", "one_line", "option", "shown"]

MOST_LISTED = 8
LONGEST_NAME = 60
_SHELL = ContextVar("_SHELL", default=False)


class InputError(ValueError):
    """Input that cannot be used. The message is one line: place, what was expected, what came."""


class OptionError(InputError):
    """An option that cannot be used.

    Args:
        option: its name as a Python argument.
        expected: what it may be.
        got: what it was.
    """

    def __init__(self, option: str, expected: str, got: object) -> None:
        super().__init__(f"{option}: expected {expected}, got {shown(got)}")
        self.option = option


@contextmanager
def in_shell() -> Iterator[None]:
    """Let messages name options as the shell has them."""
    token = _SHELL.set(True)
    try:
        yield
    finally:
        _SHELL.reset(token)


def option(name: str, value: object = None) -> str:
    """Return an option as the person who reads of it writes it: ``--tokens word`` in the shell, else ``tokens='word'``.

    Args:
        name: its name as a Python argument.
        value: what to set it to; None: it is only named.
    """
    if _SHELL.get():
        return f"--{name.replace('_', '-')}" + ("" if value in (None, True) else f" {value}")
    return name if value is None else f"{name}={value!r}"


@contextmanager
def about(place: object, *others: object) -> Iterator[None]:
    """Let an InputError begin with the place that it is about, unless it is of an option or names one of the places."""
    try:
        yield
    except OptionError:
        raise
    except InputError as error:
        message = str(error)
        if message.startswith(tuple(f"{each}{mark}" for each in (place, *others) for mark in ":,/")):
            raise
        raise InputError(f"{place}: {message}") from None


def one_line(message: object, longest: int = 200) -> str:
    """Return another program's words as one line that prints."""
    line = " ".join(str(message).split())
    line = "".join(character if character.isprintable() else "?" for character in line)
    return line if len(line) <= longest else f"{line[:longest]}…"


def shown(value: object) -> str:
    """Return any value, whatever its size and whatever it is, as one line that prints."""
    try:
        if isinstance(value, int):
            str(value)  # fails for one of more digits than Python writes, for which reprlib since 3.14 has an address
        return one_line(shortened(value))
    except Exception:  # an integer of more digits than Python writes, a __repr__ that fails
        return f"a value of type {type(value).__name__}"


def either(choices: Iterable[str]) -> str:
    """Return ``a``, ``a or b``, ``a, b or c``."""
    *others, last = choices
    return f"{', '.join(others)} or {last}" if others else last


def listed(names: Iterable[str]) -> str:
    """Return the first of some names, each as it is, or quoted and shortened if it would not fit into a line."""
    words = [name if name.isprintable() and len(name) <= LONGEST_NAME else shown(name) for name in names]
    return ", ".join(words[:MOST_LISTED]) + (", …" if len(words) > MOST_LISTED else "")
