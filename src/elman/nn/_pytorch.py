"""PyTorch's own classes, as they were at import: ``torch.nn.RNN`` may be ours by the time it is asked for."""

from __future__ import annotations

from typing import TypeVar

from torch.nn import GRU, LSTM, RNN, GRUCell, Linear, LSTMCell, Module, RNNCell

from elman._cells import FAMILIES

__all__ = ["GRU", "LSTM", "RECURRENT", "RNN", "GRUCell", "LSTMCell", "Linear", "RNNCell", "twin"]

#: The names of the recurrent classes, here and in ``elman.nn``.
RECURRENT = tuple(family.title + of for family in FAMILIES.values() for of in ("", "Cell"))

_Kind = TypeVar("_Kind", bound=Module)


def twin(module: Module, kind: type[_Kind]) -> _Kind:
    """``module`` as PyTorch's class, sharing its parameters and everything else."""
    other = kind.__new__(kind)
    other.__dict__ = module.__dict__
    return other
