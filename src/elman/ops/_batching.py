"""What ``torch.func.vmap`` makes of a recurrent layer's calls: one call of more rows, or a call for each member."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["folded", "is_batched", "of_each", "unfolded", "weight_gradients"]


def is_batched(in_dims: Sequence[int | None]) -> bool:
    return any(dim is not None for dim in in_dims)


def folded(tensors: Sequence[Any], in_dims: Sequence[int | None], members: int) -> list[Any]:
    """Rows (…, rows, features) of all members as (…, rows * members, features), of packed rows too.

    The members of a row lie side by side, so that the rows of a step stay together and the long sequences first.
    """
    return [None if x is None else _folded(x, dim, members) for x, dim in zip(tensors, in_dims, strict=True)]


def _folded(x: Tensor, dim: int | None, members: int) -> Tensor:
    apart = x.unsqueeze(-2).expand(*x.shape[:-1], members, x.shape[-1]) if dim is None else x.movedim(dim, -2)
    return apart.flatten(-3, -2)


def unfolded(tensors: Sequence[Tensor], members: int) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
    """The inverse of :func:`folded`: (…, rows, members, features), and where the members are."""
    return tuple(x.unflatten(-2, (x.shape[-2] // members, members)) for x in tensors), tuple(
        x.dim() - 1 for x in tensors
    )


def of_each(
    call: Callable[..., Sequence[Tensor]],
    members: int,
    tensors: Sequence[Tensor | None],
    in_dims: Sequence[int | None],
) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
    """The results of a call for each member, and where the members are."""
    results = [
        call(*(x if x is None or dim is None else x.select(dim, i) for x, dim in zip(tensors, in_dims, strict=True)))
        for i in range(members)
    ]
    stacked = tuple(map(torch.stack, zip(*results, strict=True)))
    return stacked, (0,) * len(stacked)


def weight_gradients(
    deltas: Tensor,
    apart: int,
    input: Tensor,
    h_0: Tensor | None,
    output: Tensor,
    batch_sizes: Tensor | None,
    needed: Sequence[bool],
) -> list[Tensor]:
    """Each member's own sums over steps and rows: dW_ih = sum d_t x_t^T, dW_hh = sum d_t h_{t-1}^T, db = sum d_t.

    Args:
        deltas: (directions, rows, members, features): ``apart`` of W_ih's alone, then W_hh's of all gates.
        input, h_0, output, batch_sizes: folded.
        needed: of each weight, in its order.

    Returns:
        Those that are needed, (members, …).
    """
    directions, _, members, _ = deltas.shape
    each, units = len(needed) // directions, output.shape[-1] // directions
    rows, states = input.flatten(0, -2), output.flatten(0, -2)
    if batch_sizes is None:
        batch_sizes = torch.full(input.shape[:1], input.shape[1])
    gradients = []
    for direction, of_direction in enumerate(deltas):
        of_hh = of_direction[..., apart:]
        of_ih = torch.cat([of_hh[..., : of_hh.shape[-1] - apart], of_direction[..., :apart]], -1) if apart else of_hh
        h_before = output.new_zeros(int(batch_sizes[0]), units) if h_0 is None else h_0[direction]
        h_before = torch.cat([h_before, states[:, direction * units : (direction + 1) * units]])
        for weight, need in enumerate(needed[direction * each : (direction + 1) * each]):
            if not need:
                continue
            of_weight = (of_ih, of_hh)[weight % 2]
            if weight > 1:
                gradients.append(of_weight.sum(0))
                continue
            factors = h_before[_places_before(batch_sizes, direction == 1)] if weight else rows
            factors = factors.unflatten(0, (of_weight.shape[0], members))
            gradients.append(torch.einsum("rmd,rmf->mdf", of_weight, factors))
    return gradients


def _places_before(batch_sizes: Tensor, reverse: bool) -> Tensor:
    """Where each row's h_{t-1} stands among the initial states and the outputs behind them."""
    starts, nothing = batch_sizes.cumsum(0) - batch_sizes, batch_sizes.new_zeros(1)
    # of the step before, in the order of the direction
    sizes, first = (torch.cat([x[1:], nothing] if reverse else [nothing, x[:-1]]) for x in (batch_sizes, starts))
    step = torch.arange(len(batch_sizes)).repeat_interleave(batch_sizes)
    row = torch.arange(len(step)) - starts[step]
    return torch.where(row < sizes[step], batch_sizes[0] + first[step] + row, row)
