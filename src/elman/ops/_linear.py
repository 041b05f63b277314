"""The linear layer: one step of a recurrence without a recurrent term, by the same kernels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from elman import _engine
from elman._gate import are_plain, nothing_intercepts, threads
from elman.ops._flops import profiler, tell_products
from elman.ops._kept import joined, keep, originals, uncompiled

__all__ = ["linear"]

_forward: Any = _engine.linear
_backward: Any = _engine.linear_backward


def linear(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return ``input W^T + b``, the same bits for a row in any batch.

    Args:
        input: (…, in_features) of any strides.
        weight: (out_features, in_features).
        bias: (out_features); None counts as zeros.

    Returns:
        (…, out_features).
    """
    if torch.is_grad_enabled() and (
        input.requires_grad or weight.requires_grad or (bias is not None and bias.requires_grad)
    ):
        return _Linear.apply(input, weight, bias)  # type: ignore[no-any-return,no-untyped-call]
    return _run(input, weight, bias)


def _run(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if profiler._is_profiler_enabled:
        tell_products(input, [weight])
    return _forward(threads(), input, weight, bias)  # type: ignore[no-any-return]


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        # as PyTorch does, only what the gradients that are wanted will need
        learns_input, learns_weight, _ = ctx.needs_input_grad
        aliases, computed, leaves = keep((input if learns_weight else None, weight if learns_input else None))
        ctx.save_for_backward(*aliases, *computed)
        ctx.leaves, ctx.in_features = leaves, weight.shape[1]
        x, w = aliases[0] if learns_weight else input, aliases[1] if learns_input else weight
        return _run(x, w, bias)

    @staticmethod
    @uncompiled
    def backward(ctx: Any, d_output: Tensor) -> tuple[Tensor | None, ...]:
        input, weight, *of_originals = ctx.saved_tensors
        needed = ctx.needs_input_grad
        if are_plain([d_output, input, weight]) and nothing_intercepts() and not torch.is_grad_enabled():
            gradients = _backward(threads(), d_output, input, weight, ctx.in_features, needed)
            if profiler._is_profiler_enabled:
                tell_products(gradients[0], [weight])
                tell_products(input, [gradients[1]])
            return gradients  # type: ignore[no-any-return]
        # by operations that PyTorch can differentiate again
        input, weight = map(joined, (input, weight), originals(ctx.leaves, of_originals))
        return (
            d_output @ weight if needed[0] else None,
            _rows(d_output).transpose(0, 1) @ _rows(input) if needed[1] else None,
            _rows(d_output).sum(0) if needed[2] else None,
        )


def _rows(tensor: Tensor) -> Tensor:
    return tensor.reshape(-1, tensor.shape[-1])
