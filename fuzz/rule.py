"""The rule for all targets: what is handed to elman is used, or refused in one line, and nothing else happens."""

import unicodedata
import warnings
from collections.abc import Callable
from typing import Any

from elman import InputError

__all__ = ["REFUSED", "attempt"]

LONGEST_MESSAGE = 1000
REFUSED: Any = type("Refused", (), {"__repr__": lambda self: "REFUSED"})()


def attempt(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Return the result of a call, or REFUSED; whatever else comes out of it goes up and is a find."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", "(?s).* holds infinite (weights|numbers) or NaN", RuntimeWarning)
            return function(*arguments, **options)
    except InputError as error:
        message = str(error)
        assert message, "a refusal without words"
        assert len(message) < LONGEST_MESSAGE, f"a refusal of {len(message)} characters: {message[:300]!r}"
        assert len(message.splitlines()) == 1, f"a refusal of several lines: {message!r}"
        controls = [character for character in message if unicodedata.category(character) in ("Cc", "Cs")]
        assert not controls, f"a refusal that does not print: {message!r}"
        return REFUSED
