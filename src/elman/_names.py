"""Methods that a class has from a base, under the name of the class that a user knows."""

from inspect import getattr_static
from types import FunctionType
from typing import Any

__all__ = ["take_over"]


def take_over(owner: type, *methods: str) -> None:
    """Give a class inherited methods as its own: Python names them where arguments are missing or too many."""
    for name in methods:
        found = getattr_static(owner, name)
        is_classmethod = isinstance(found, classmethod)
        own = _named(found.__func__ if is_classmethod else found, f"{owner.__name__}.{name}")
        setattr(owner, name, classmethod(own) if is_classmethod else own)


def _named(function: Any, name: str) -> Any:
    own = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    own.__qualname__, own.__doc__, own.__kwdefaults__ = name, function.__doc__, function.__kwdefaults__
    own.__annotations__ = dict(function.__annotations__)
    return own
