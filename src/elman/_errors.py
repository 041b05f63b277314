"""What a person can mend: their file, their folder, their options."""

from collections.abc import Iterable
from reprlib import repr as shortened

__all__ = ["InputError", "OptionError", "listed", "one_line", "shown"]

MOST_LISTED = 8
LONGEST_NAME = 60


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


def listed(names: Iterable[str]) -> str:
    """Return the first of some names, each as it is, or quoted and shortened if it would not fit into a line."""
    words = [name if name.isprintable() and len(name) <= LONGEST_NAME else shown(name) for name in names]
    return ", ".join(words[:MOST_LISTED]) + (", …" if len(words) > MOST_LISTED else "")
