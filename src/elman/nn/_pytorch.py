"""PyTorch's own classes, as they were at import: ``torch.nn.RNN`` may be ours by the time it is asked for."""

from __future__ import annotations

from typing import TypeVar

from torch.nn import RNN, Linear, Module, RNNCell

__all__ = ["RNN", "Linear", "RNNCell", "twin"]

_Kind = TypeVar("_Kind", bound=Module)


def twin(module: Module, kind: type[_Kind]) -> _Kind:
    """``module`` as PyTorch's class, sharing its parameters and everything else."""
    other = kind.__new__(kind)
    other.__dict__ = module.__dict__
    return other
