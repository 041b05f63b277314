"""Rows taken from among others, and put back among zeros: each row once, so that gradients are the other of the two."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from elman._gate import nothing_intercepts

__all__ = ["put", "take"]


def take(rows: Tensor, index: Tensor) -> Tensor:
    """The rows ``(rows, features)`` of an index that names none twice; the gradient of the others is zeros."""
    if nothing_intercepts():
        return _Take.apply(rows, index)  # type: ignore[no-any-return,no-untyped-call]
    return rows.index_select(0, index)


def put(rows: Tensor, index: Tensor, total: int) -> Tensor:
    """The rows at the places ``(total, features)`` that the index names, zeros elsewhere."""
    if nothing_intercepts():
        return _Put.apply(rows, index, total)  # type: ignore[no-any-return,no-untyped-call]
    return rows.new_zeros(total, rows.shape[1]).index_copy(0, index, rows)


class _Take(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, index: Tensor) -> Tensor:
        ctx.index, ctx.total = index, rows.shape[0]
        return rows.index_select(0, index)

    @staticmethod
    def backward(ctx: Any, d_taken: Tensor) -> tuple[Tensor, None]:
        return put(d_taken, ctx.index, ctx.total), None


class _Put(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, index: Tensor, total: int) -> Tensor:
        ctx.index = index
        return rows.new_zeros(total, rows.shape[1]).index_copy_(0, index, rows)

    @staticmethod
    def backward(ctx: Any, d_put: Tensor) -> tuple[Tensor, None, None]:
        return take(d_put, ctx.index), None, None
