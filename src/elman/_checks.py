"""Which arguments are numbers: NumPy's are too, and booleans are none, though Python takes them for integers."""

from numbers import Integral, Real
from typing import Any

__all__ = ["is_integer", "is_number"]


def is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def is_integer(value: Any, least: float = -float("inf")) -> bool:
    return not isinstance(value, bool) and isinstance(value, Integral) and int(value) >= least
