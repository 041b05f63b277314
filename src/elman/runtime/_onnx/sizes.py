"""Operators whose result is as large as a number says, not as what they read: a few bytes can ask for terabytes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import numpy as np

from elman._errors import InputError

__all__ = ["check_claim"]

MOST_ELEMENTS = 2**28


def check_claim(operator: str, arguments: Sequence[Any]) -> None:
    """See that a result asked for by numbers is of a reasonable size, before it is made.

    Args:
        operator: of the node.
        arguments: the values of its inputs.

    Raises:
        InputError: it would have more than 2**28 elements.
    """
    elements = _claimed(operator, arguments)
    if elements > MOST_ELEMENTS:
        raise InputError(f"expected a result of at most {MOST_ELEMENTS} elements, got one of {elements:.3g}")


def _claimed(operator: str, arguments: Sequence[Any]) -> float:
    if operator == "ConstantOfShape":
        return _product(arguments[0])
    if operator == "Expand":
        pairs = zip_longest(reversed(arguments[0].shape), reversed(np.ravel(arguments[1]).tolist()), fillvalue=1)
        return _product([max(pair) for pair in pairs])
    if operator == "Tile":
        return float(arguments[0].size) * _product(arguments[1])
    if operator == "Range":
        start, limit, delta = (float(np.ravel(value)[0]) for value in arguments)
        return abs((limit - start) / delta) if delta else math.inf
    return 0


def _product(sizes: Any) -> float:
    return float(math.prod(max(float(size), 0.0) for size in np.ravel(sizes).tolist()))
