"""Hidden states, and cell states beside them: of one layer or several, as wide as one another or not."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, TypeVar

import numpy as np

from elman._errors import InputError
from elman.runtime._arrays import Array, as_shaped, kind_of

__all__ = ["States", "StatesForm", "from_states", "hidden_states"]

T = TypeVar("T")
States = tuple[Array, ...]  # h, and of an LSTM c


@dataclass(frozen=True)
class StatesForm:
    """The form that the states of a network have.

    The engine has h, of an LSTM c too, of other cells all their states, flat: (batch, hidden_size) of each layer and
    direction, behind one another. Users have of each an array (num_layers * directions, batch, hidden_size), or where
    layers differ in width a tuple of arrays (directions, batch, hidden_size), one a layer.

    Args:
        letters: of the states, or names.
        widths: the hidden_size of each layer.
        directions, dtype: of the network.
    """

    letters: Sequence[str]
    widths: tuple[int, ...]
    directions: int
    dtype: np.dtype[Any]

    @cached_property
    def is_even(self) -> bool:
        """Whether all layers are as wide, so that a state is one array."""
        return len(set(self.widths)) == 1

    def empty(self, batch: int) -> States:
        """Return flat states that are yet to be written."""
        size = batch * self.directions * sum(self.widths)
        return tuple(np.empty(size, self.dtype) for _ in self.letters)

    def shapes(self, batch: int | None) -> list[tuple[int, ...]]:
        """Return the shapes of the arrays that users have of a state; ``batch`` None: without a batch."""
        rows = () if batch is None else (batch,)
        if self.is_even:
            return [(len(self.widths) * self.directions, *rows, self.widths[0])]
        return [(self.directions, *rows, width) for width in self.widths]

    def blocks(self, flat: Array, batch: int | None) -> list[Array]:
        """Return the arrays that users have of a flat state, views; ``batch`` None: without a batch."""
        blocks, begin = [], 0
        for shape in self.shapes(batch):
            end = begin + prod(shape)
            blocks.append(flat[begin:end].reshape(shape))
            begin = end
        return blocks

    def given(self, states: States, batch: int | None) -> Any:
        """Return flat states as users get them."""
        of_each = [tuple(self.blocks(flat, batch)) for flat in states]
        return from_states(tuple(blocks[0] for blocks in of_each) if self.is_even else tuple(of_each))

    def read(self, value: Any, name: str, names: Sequence[str], batch: int | None, words: str) -> States:
        """Return what users pass as states, flat.

        Args:
            value: as users have them, tuples or lists.
            name: of all, for messages.
            names: of each.
            batch: None: without a batch.
            words: what explains their shapes.

        Raises:
            InputError: it is something else.
        """
        if len(names) == 1:
            return (self._flat(value, name, batch, words),)
        each = _as_many(value, name, len(names), f"the {'pair' if len(names) == 2 else 'tuple'} ({', '.join(names)})")
        return tuple(self._flat(state, of, batch, words) for state, of in zip(each, names, strict=True))

    def _flat(self, value: Any, name: str, batch: int | None, words: str) -> Array:
        shapes = self.shapes(batch)
        if self.is_even:
            return as_shaped(value, name, self.dtype, shapes[0], words).reshape(-1)
        each = _as_many(value, name, len(shapes), f"a tuple of {len(shapes)} arrays, one a layer")
        parts = [
            as_shaped(of_layer, f"{name}[{layer}]", self.dtype, shape, words)
            for layer, (of_layer, shape) in enumerate(zip(each, shapes, strict=True))
        ]
        return np.concatenate([part.reshape(-1) for part in parts])


def from_states(states: tuple[Any, ...]) -> Any:
    """Return states as users get them: h, or the pair (h, c), or as many as a cell has."""
    return states if len(states) > 1 else states[0]


def hidden_states(state: T | tuple[T, ...]) -> T:
    """Return what layers put out of their state: all of it, or the first of ``(h, c)``."""
    return state[0] if isinstance(state, tuple) else state


def _as_many(value: Any, name: str, count: int, words: str) -> Sequence[Any]:
    if not isinstance(value, tuple | list) or len(value) != count:
        got = f"a {type(value).__name__} of {len(value)}" if isinstance(value, tuple | list) else kind_of(value)
        raise InputError(f"{name}: expected {words}, got {got}")
    return value
