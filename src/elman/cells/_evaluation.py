"""A program in plain PyTorch operations: the reference, and the way for what the engine does not take."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

from elman._extras import TORCH
from elman.cells._program import Node

with TORCH.needed_by(__name__):
    import torch
    from torch import Tensor
    from torch.nn.functional import softplus

__all__ = ["evaluate"]

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "fma": lambda a, b, c: a * b + c,
    "negate": operator.neg,
    "abs": torch.abs,
    "minimum": torch.minimum,
    "maximum": torch.maximum,
    "less": operator.lt,
    "less_equal": operator.le,
    "equal": operator.eq,
    "select": torch.where,
    "exp": torch.exp,
    "log": torch.log,
    "sqrt": torch.sqrt,
    "tanh": torch.tanh,
    "sigma": torch.sigmoid,
    "softplus": softplus,
    "relu": torch.relu,
}


def evaluate(nodes: Sequence[Node], leaf: Callable[[Node], Tensor], like: Tensor) -> list[Tensor]:
    """Return the value of every node.

    Args:
        nodes: of a program, or of its gradients.
        leaf: of a leaf that has a name, (rows, hidden_size) or (hidden_size,).
        like: (rows, hidden_size), for the dtype and device of numbers and the count of units.
    """
    values: list[Tensor] = []
    for node in nodes:
        taken = [values[place] for place in node.values]
        if node.operation == "sum_units":
            value = taken[0].expand_as(like).sum(-1, keepdim=True).expand_as(like)
        elif node.operation in _FUNCTIONS:
            value = _FUNCTIONS[node.operation](*taken)
        elif node.name:
            value = leaf(node)
        else:
            number = like.shape[-1] if node.operation == "units" else node.number
            value = like.new_full((), number)
        values.append(value)
    return values
