"""What is kept of tensors between forward and backward.

PyTorch's layers keep views of their weights and inputs. So their gradients go by the old data of a tensor that is given
other data in between (``p.data = q``), and by what is there of one whose storage is emptied and filled again (FSDP2);
one that is written to is refused by its version. An alias does the same: it shares the tensor's storage and version
counter, and no one else can give it other data.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["joined", "kept", "leaf", "own"]


def own(tensor: Tensor | None) -> Tensor | None:
    """What a function is applied to: of a tensor that autograd has to follow further, an alias; else itself."""
    return tensor if tensor is None or tensor.grad_fn is None else tensor.view_as(tensor)


def kept(tensor: Tensor | None) -> Tensor | None:
    """What the function saves of what :func:`own` gave it."""
    return tensor if tensor is None or tensor.grad_fn is not None else tensor.detach()


def leaf(tensor: Tensor | None) -> Tensor | None:
    """The tensor itself, where what is saved of it does not lead autograd back to it."""
    return tensor if tensor is not None and tensor.grad_fn is None and tensor.requires_grad else None


def joined(numbers: Any, original: Tensor | None) -> Any:
    """An alias of ``numbers``, from which autograd goes on to ``original``, whatever data that has now.

    Where there is no original, ``numbers`` are none, need no gradient, or lead on by themselves.
    """
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
