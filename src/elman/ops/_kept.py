"""What is kept of tensors between forward and backward.

PyTorch's layers keep views of their weights and inputs. So their gradients go by the old data of a tensor that is given
other data in between (``p.data = q``), and by what is there of one whose storage is emptied and filled again (FSDP2);
one that is written to is refused by its version. An alias does the same: it shares the tensor's storage and version
counter, and no one else can give it other data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from elman import _engine

__all__ = ["joined", "keep", "originals", "uncompiled"]

_keep: Any = _engine.keep
_is_compiling = torch.compiler.is_compiling


def keep(tensors: Sequence[Tensor | None]) -> tuple[list[Any], list[Tensor], list[Any]]:
    """What a function saves of the tensors that it is given, and what it keeps by other means.

    Returns:
        Aliases, with which the backward pass computes. The tensors that are no leaves, to be saved too: gradients of
        gradients go on to the tensors themselves, and only what is saved is freed by the backward pass. The leaves in
        their places, with ``...`` for what is no leaf and None for what needs no gradient: leaves live on anyway.
    """
    return _keep(tensors)  # type: ignore[no-any-return]


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


def uncompiled(backward: Callable[..., Any]) -> Callable[..., Any]:
    """A backward pass at which compiled autograd breaks its graph, to run it as it is.

    What is kept besides tensors a graph would take for constants; and from a graph's results autograd knows no way back
    to the aliases in it.
    """

    def either(*given: Any) -> Any:
        return torch.compiler.disable(backward)(*given) if _is_compiling() else backward(*given)

    return either
