"""The engine's two calls for a recurrent layer, over tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from elman import _engine
from elman.ops._flops import profiler, tell_products

__all__ = ["backward", "forward"]

_NONLINEARITY = {"tanh": _engine.Cell.tanh, "relu": _engine.Cell.relu}
_forward: Any = _engine.forward
_backward: Any = _engine.backward


def forward(
    nonlinearity: str,
    directions: int,
    hidden_size: int,
    input: Tensor,
    h_0: Tensor | None,
    batch_sizes: Tensor | None,
    weights: list[Tensor],
) -> tuple[Tensor, Any]:
    """The output and h_n, which is None after one step."""
    f, threads = _NONLINEARITY[nonlinearity], torch.get_num_threads()
    results = _forward(f, threads, directions, input, h_0, batch_sizes, weights, hidden_size)
    if profiler._is_profiler_enabled:
        each = len(weights) // directions
        tell_products(input, weights[::each])
        tell_products(results[0], weights[1::each])
    return results  # type: ignore[no-any-return]


def backward(
    nonlinearity: str,
    directions: int,
    hidden_size: int,
    input: Tensor,
    h_0: Tensor | None,
    batch_sizes: Tensor | None,
    matrices: list[Tensor],
    output: Tensor,
    d_output: Tensor | None,
    d_h_n: Tensor | None,
    needed: Sequence[bool],
) -> tuple[Tensor | None, ...]:
    """The gradients that are ``needed``, of input, h_0 and weights; None for the others."""
    if profiler._is_profiler_enabled:
        tell_products(input, matrices[::2], needed[0] + needed[2])
        tell_products(output, matrices[1::2], 1 + needed[3])
    f, threads = _NONLINEARITY[nonlinearity], torch.get_num_threads()
    return _backward(  # type: ignore[no-any-return]
        f, threads, directions, input, h_0, batch_sizes, matrices, hidden_size, output, d_output, d_h_n, needed
    )
