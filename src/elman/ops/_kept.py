"""What is kept of tensors between forward and backward.

PyTorch's layers keep views of their weights and inputs. So their gradients go by the old data of a tensor that is given
other data in between (``p.data = q``), and by what is there of one whose storage is emptied and filled again (FSDP2);
one that is written to is refused by its version. An alias does the same: it shares the tensor's storage and version
counter, and no one else can give it other data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["aliases_of", "computed", "joined", "leaves", "originals"]


def aliases_of(tensors: Sequence[Tensor | None]) -> list[Any]:
    """What a function saves, and its backward pass computes with."""
    return [None if tensor is None else tensor.detach() for tensor in tensors]


# Gradients of gradients go on to the tensors themselves. The computed ones are saved behind the aliases, for only what
# is saved is freed by the backward pass; leaves live on anyway.


def computed(tensors: Sequence[Tensor | None]) -> list[Tensor]:
    """Those that are not leaves."""
    return [tensor for tensor in tensors if tensor is not None and not tensor.is_leaf]


def leaves(tensors: Sequence[Tensor | None]) -> list[Any]:
    """The leaves in their places, ``...`` for what is computed, None for what needs no gradient."""
    return [
        None if tensor is None or not tensor.requires_grad else tensor if tensor.is_leaf else ... for tensor in tensors
    ]


def originals(leaves: Sequence[Any], computed: Sequence[Tensor]) -> list[Tensor | None]:
    """Leaves and computed tensors, each in its place."""
    remaining = iter(computed)
    return [next(remaining) if tensor is ... else tensor for tensor in leaves]


def joined(numbers: Any, original: Tensor | None) -> Any:
    """An alias of ``numbers``, from which autograd goes on to ``original``, whatever data that has now."""
    if original is not None:
        return _Joined.apply(numbers, original)  # type: ignore[no-untyped-call]
    return None if numbers is None else numbers.view_as(numbers)


class _Joined(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, numbers: Tensor, original: Tensor) -> Tensor:
        return numbers.view_as(numbers)

    @staticmethod
    def backward(ctx: Any, d_numbers: Tensor) -> tuple[None, Tensor]:
        return None, d_numbers
