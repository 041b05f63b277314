"""What each sequence comes to over its own steps: the largest value and the mean of each feature."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from elman import _engine

__all__ = ["pool"]


def pool(states: Tensor, batch_sizes: Tensor) -> Tensor:
    """Return each feature's largest value and mean over every sequence's own steps, the same bits in any batch.

    The gradient of a largest value is shared alike by all steps that have it, as ``torch.amax`` does.

    Args:
        states: packed (rows, features), float32 or float64, on the CPU.
        batch_sizes: (steps,) int64, contiguous, never growing.

    Returns:
        (batch, 2 * features), the largest values first, in the packed order of the sequences.
    """
    return _Pool.apply(states, batch_sizes)  # type: ignore[no-any-return,no-untyped-call]


class _Pool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, states: Tensor, batch_sizes: Tensor) -> Tensor:
        states = states.detach().contiguous()  # an alias: no one else can give it other data
        pooled = states.new_empty((int(batch_sizes[0]), 2 * states.shape[1]))
        _engine.pool(states.numpy(), batch_sizes.numpy(), pooled.numpy())
        ctx.save_for_backward(states, batch_sizes, pooled)
        return pooled

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_pooled: Tensor) -> tuple[Tensor, None]:
        states, batch_sizes, pooled = ctx.saved_tensors
        runs = torch.arange(len(pooled)) < batch_sizes[:, None]  # (steps, batch)
        places = runs.nonzero()[:, 1]  # of each row in the batch
        largest, _ = pooled.chunk(2, 1)
        d_largest, d_mean = d_pooled.chunk(2, 1)
        is_largest = states == largest[places]
        share = torch.zeros_like(largest).index_add_(0, places, is_largest.to(states.dtype))
        d_states = (d_mean / runs.sum(0)[:, None])[places]
        d_states += (d_largest / share)[places].mul_(is_largest)
        return d_states, None
