"""The limits of the options that tasks share."""

import math
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

from elman._errors import OptionError
from elman.runtime._language.settings import MOST_NGRAM

__all__ = ["check_options"]

# Least value, and whether None is allowed: it stands for a choice made from the data.
INTEGERS = {
    "hidden_size": (1, False),
    "embedding_size": (1, False),
    "character_size": (0, False),
    "layers": (1, False),
    "max_length": (1, False),
    "epochs": (1, True),
    "frame_size": (1, True),
    "batch_size": (1, True),
    "ngram": (1, False),
    "horizon": (1, True),
    "season": (1, True),
    "context": (2, True),
    "networks": (1, False),
    "window": (1, False),
    "seed": (0, False),
    "threads": (1, True),
}
# What a model folder may say at most, where that is less than any integer.
GREATEST = {"layers": 1000, "networks": 1000, "ngram": MOST_NGRAM, "hidden_size": 2**20, "horizon": 2**20}
FRACTIONS = {"dropout": False, "ngram_dropout": True, "validation": False}
CHOICES = {"tokens": ("char", "word", None), "engine": ("elman", "torch"), "strategy": ("direct", "recursive", None)}


def check_options(options: Mapping[str, Any]) -> None:
    """Check the options that are given.

    Raises:
        OptionError: one is out of range or of another type; the message names it.
    """
    for name, value in options.items():
        if name in INTEGERS:
            _check_integer(name, value, *INTEGERS[name], GREATEST.get(name, 2**31 - 1))
        elif name in CHOICES and value not in CHOICES[name]:
            raise OptionError(name, " or ".join(str(choice) for choice in CHOICES[name] if choice), value)
        elif name in ("bidirectional", "repair_tags") and not isinstance(value, bool):
            raise OptionError(name, "True or False", value)
        elif name in FRACTIONS and not (_is_fraction(value) or (FRACTIONS[name] and value is None)):
            raise OptionError(name, "a number from 0 to below 1", value)
        elif name == "coverage" and not (_is_fraction(value) and value > 0):
            raise OptionError(name, "a number between 0 and 1", value)
        elif name == "learning_rate" and not (_is_real(value) and 0 < value < math.inf):
            raise OptionError(name, "a number above 0", value)


def _check_integer(name: str, value: object, least: int, optional: bool, most: int) -> None:
    if value is None and optional:
        return
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least:
        raise OptionError(name, f"an integer of at least {least}", value)
    if int(value) > most:
        raise OptionError(name, f"an integer of at most {most}", value)


def _is_real(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_fraction(value: Any) -> bool:
    return _is_real(value) and 0 <= value < 1
