"""Rows taken from among padded ones and put back among zeros: each once, so that one is the other's gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from elman import _engine
from elman._gate import DTYPES, is_plain, nothing_intercepts
from elman._places import places_of_rows

__all__ = ["index_of", "put", "take"]

_take_rows: Any = _engine.take_rows
_put_rows: Any = _engine.put_rows


def index_of(batch_sizes: Any, places: Any, batch: int) -> Tensor:
    """Where each packed row lies among the padded rows of so many sequences side by side: see :mod:`elman._places`."""
    steps, sequences = places_of_rows(batch_sizes, places)
    return torch.from_numpy(steps * int(batch) + sequences)


def take(padded: Tensor, index: Tensor) -> Tensor:
    """The rows ``(rows, features)`` of a padded ``(first, second, features)`` that an index names, none twice.

    Args:
        padded: of any strides.
        index: ``(rows)``, int64, ``i * second + j`` for the row at ``[i, j]``. The others' gradient is zeros.
    """
    if nothing_intercepts():
        return _Take.apply(padded, index)  # type: ignore[no-untyped-call,no-any-return]
    return _take(padded, index)


def put(rows: Tensor, index: Tensor, first: int, second: int) -> Tensor:
    """The inverse: ``(first, second, features)`` with zeros where the index names nothing."""
    if nothing_intercepts():
        return _Put.apply(rows, index, first, second)  # type: ignore[no-untyped-call,no-any-return]
    return _put(rows, index, first, second)


def _take(padded: Tensor, index: Tensor) -> Tensor:
    if padded.dtype in DTYPES and nothing_intercepts() and is_plain(padded):
        # an alias: another thread may give the tensor itself other data meanwhile
        return _take_rows(padded.detach(), index)  # type: ignore[no-any-return]
    return padded.flatten(0, 1).index_select(0, index.to(padded.device))


def _put(rows: Tensor, index: Tensor, first: int, second: int) -> Tensor:
    if rows.dtype in DTYPES and nothing_intercepts() and is_plain(rows):
        return _put_rows(rows.detach(), index, first, second)  # type: ignore[no-any-return]
    zeros = rows.new_zeros(first * second, rows.shape[1])
    return zeros.index_copy(0, index.to(rows.device), rows).view(first, second, rows.shape[1])


class _Take(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, padded: Tensor, index: Tensor) -> Tensor:
        ctx.index, ctx.sizes = index, padded.shape[:2]
        return _take(padded, index)

    @staticmethod
    def backward(ctx: Any, d_rows: Tensor) -> tuple[Tensor, None]:
        return put(d_rows, ctx.index, *ctx.sizes), None


class _Put(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, index: Tensor, first: int, second: int) -> Tensor:
        ctx.index = index
        return _put(rows, index, first, second)

    @staticmethod
    def backward(ctx: Any, d_padded: Tensor) -> tuple[Tensor | None, ...]:
        return take(d_padded, ctx.index), None, None, None
