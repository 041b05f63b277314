"""What recurrent layers have that no layer of PyTorch has: a width for each layer, learned initial states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from elman._checks import is_integer
from elman._errors import shown

__all__ = ["Additions", "check_flags", "widths_of"]


class Additions:
    """How many units each layer has, and which initial states are learned."""

    # so too of layers that PyTorch has made, or an earlier version of this library
    learn_initial_state = False
    residual = False

    hidden_size: Any
    num_layers: int
    bidirectional: bool
    _state_names: Sequence[str]

    @property
    def _has_widths(self) -> bool:
        return isinstance(self.hidden_size, tuple)

    @property
    def _widths(self) -> tuple[int, ...]:
        """Of each layer."""
        widths: tuple[int, ...] = self.hidden_size if self._has_widths else (self.hidden_size,) * self.num_layers
        return widths

    @property
    def _suffixes(self) -> tuple[str, ...]:
        """Of the names of each direction's parameters."""
        return ("", "_reverse") if self.bidirectional else ("",)

    @property
    def _learned_states(self) -> dict[str, int]:
        """The width of each initial state that is learned, by its name."""
        if not self.learn_initial_state:
            return {}
        return {
            f"{state}_0_l{index}{suffix}": width
            for index, width in enumerate(self._widths)
            for suffix in self._suffixes
            for state in self._state_names
        }


def widths_of(hidden_size: Any, num_layers: Any) -> Any:
    """``hidden_size`` as a layer keeps it: an integer, or where it is a list of them, a tuple.

    Raises:
        ValueError: it is neither, or a list of other than ``num_layers``, where those are given.
    """
    is_list = isinstance(hidden_size, list | tuple)
    widths = hidden_size if is_list else (hidden_size,)
    if not widths or not all(is_integer(width, 1) for width in widths):
        raise ValueError(f"hidden_size: expected an integer above 0, or one for each layer, got {shown(hidden_size)}")
    if is_list and num_layers not in (None, len(widths)):
        raise ValueError(
            f"num_layers: expected {len(widths)}, as many as hidden_size has widths, got {shown(num_layers)}"
        )
    return tuple(map(int, widths)) if is_list else int(hidden_size)


def check_flags(**flags: Any) -> None:
    """Raise a ``TypeError``, in PyTorch's words, for what is no boolean."""
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise TypeError(f"{name} should be of type bool, got: {type(value).__name__}")
