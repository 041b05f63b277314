"""The linear layer: one step of a recurrence without a recurrent term, by the same kernels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from elman import _engine
from elman._gate import is_plain, nothing_intercepts
from elman.ops._layer import are_plain_as_saved

__all__ = ["linear"]

FORWARD = {torch.float32: _engine.forward_float32, torch.float64: _engine.forward_float64}
BACKWARD = {torch.float32: _engine.backward_float32, torch.float64: _engine.backward_float64}

Opening = tuple[_engine.Nonlinearity, int, int, int, int, bool, int, int, int, int]


def linear(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return ``input W^T + b``, the same bits for a row in any batch.

    Args:
        input: (rows, in_features) of any strides.
        weight: (out_features, in_features).
        bias: (out_features); None counts as zeros.

    Returns:
        (rows, out_features).
    """
    if torch.is_grad_enabled() and (
        input.requires_grad or weight.requires_grad or (bias is not None and bias.requires_grad)
    ):
        return _Linear.apply(input, weight, bias)  # type: ignore[no-any-return,no-untyped-call]
    return _forward(input, weight, bias)


def _opening(rows: int, in_features: int, out_features: int, weight: Tensor | None) -> Opening:
    """The arguments with which both begin: one step of a layer, without a nonlinearity and a recurrent term."""
    address = 0 if weight is None else weight.data_ptr()
    identity, threads = _engine.Nonlinearity.identity, torch.get_num_threads()
    return identity, threads, 1, rows, 0, False, in_features, out_features, address, 0


def _forward(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    rows, (out_features, in_features) = input.shape[0], weight.shape
    output = input.new_empty((rows, out_features))
    weight, bias = weight.contiguous(), None if bias is None else bias.contiguous()
    FORWARD[input.dtype](
        *_opening(rows, in_features, out_features, weight),
        0 if bias is None else bias.data_ptr(),
        0,
        input.data_ptr(),
        0,
        input.stride(0),
        input.stride(1),
        0,
        output.data_ptr(),
        0,
        out_features,
        0,
    )
    return output


def _backward(
    d_output: Tensor, input: Tensor | None, weight: Tensor | None, in_features: int, needed: tuple[bool, ...]
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """The gradients that are needed; ``weight`` is read for the first of them, ``input`` for the second."""
    rows, out_features = d_output.shape
    d_input = d_output.new_empty((rows, in_features)) if needed[0] else None
    d_weight = d_output.new_empty((out_features, in_features)) if needed[1] else None
    d_bias = d_output.new_empty(out_features) if needed[2] else None
    weight = None if weight is None else weight.contiguous()
    BACKWARD[d_output.dtype](
        *_opening(rows, in_features, out_features, weight),
        0 if input is None else input.data_ptr(),
        0,
        0 if input is None else input.stride(0),
        0 if input is None else input.stride(1),
        0,
        0,
        0,
        0,
        d_output.data_ptr(),
        0,
        d_output.stride(0),
        d_output.stride(1),
        0,
        0 if d_input is None else d_input.data_ptr(),
        0,
        in_features,
        False,
        0,
        0 if d_weight is None else d_weight.data_ptr(),
        0,
        0 if d_bias is None else d_bias.data_ptr(),
    )
    return d_input, d_weight, d_bias


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        # as PyTorch does, only what the gradients that are wanted will need
        learns_input, learns_weight, _ = ctx.needs_input_grad
        saved = (input if learns_weight else None, weight if learns_input else None)
        ctx.save_for_backward(*saved)
        ctx.saved_as = _engine.describe([*saved])
        ctx.in_features = weight.shape[1]
        return _forward(input, weight, bias)

    @staticmethod
    def backward(ctx: Any, d_output: Tensor) -> tuple[Tensor | None, ...]:
        input, weight = saved = ctx.saved_tensors
        plain = are_plain_as_saved(saved, ctx.saved_as) and is_plain(d_output)
        needed = ctx.needs_input_grad
        if plain and nothing_intercepts() and not torch.is_grad_enabled():
            return _backward(d_output, input, weight, ctx.in_features, needed)
        # by operations that PyTorch can differentiate again
        return (
            d_output @ weight if needed[0] else None,
            d_output.transpose(0, 1) @ input if needed[1] else None,
            d_output.sum(0) if needed[2] else None,
        )
