"""Hidden states, and cell states beside them: an array where a cell has one state, a tuple of them where it has two."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from elman._errors import InputError
from elman.runtime._arrays import Array, as_shaped, kind_of

__all__ = ["States", "as_states", "from_states"]

States = tuple[Array, ...]  # h, and of an LSTM c


def as_states(
    value: Any, name: str, names: Sequence[str], dtype: np.dtype[Any], shape: Sequence[int], words: str
) -> States:
    """Return what users pass as states as C-contiguous arrays of ``dtype`` and ``shape``, which ``words`` explain.

    Args:
        value: an array, or a tuple or list of as many as there are ``names``.
        name: of all, for messages.
        names: of each.
        dtype, shape, words: of each, as for :func:`elman.runtime._arrays.as_shaped`.

    Raises:
        InputError: it is something else.
    """
    if len(names) == 1:
        return (as_shaped(value, name, dtype, shape, words),)
    if not isinstance(value, tuple | list) or len(value) != len(names):
        got = f"a {type(value).__name__} of {len(value)}" if isinstance(value, tuple | list) else kind_of(value)
        raise InputError(f"{name}: expected the pair ({', '.join(names)}), got {got}")
    return tuple(as_shaped(each, of, dtype, shape, words) for each, of in zip(value, names, strict=True))


def from_states(states: States) -> Any:
    """Return states as users get them."""
    return states if len(states) > 1 else states[0]
