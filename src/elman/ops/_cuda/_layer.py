"""Recurrent layers on a GPU, with their gradients: what ``elman.ops._layer`` is on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from elman import _gate
from elman.ops._calls import Call, every_further, split
from elman.ops._cuda._calls import backward, forward
from elman.ops._cuda._launches import Launcher
from elman.ops._differentiable import differentiable_backward
from elman.ops._kept import uncompiled

__all__ = ["run"]


class _Asked(NamedTuple):
    """What a call is besides its tensors, and what runs it."""

    launcher: Launcher
    call: Call
    every: bool
    output_batch_first: bool


def run(
    launcher: Launcher, call: Call, *tensors: Tensor | None, every: bool, output_batch_first: bool = False
) -> tuple[Tensor, ...]:
    """What :func:`elman.ops._layer.run` returns of a call's tensors, by a launcher's kernels.

    Args:
        output_batch_first: as of :func:`elman.ops.layer`.
    """
    asked = _Asked(launcher, call, every, output_batch_first)
    if torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in tensors):
        return _Layer.apply(asked, *tensors)  # type: ignore[no-untyped-call,no-any-return]
    return _run(asked, tensors, every)[0]


def _run(asked: _Asked, tensors: Sequence[Tensor | None], keeps: bool) -> tuple[tuple[Tensor, ...], Tensor | None]:
    call = asked.call
    input, h_0, c_0, *given = map(_contiguous, tensors)
    weights, inputs = split(call, given)
    results, kept = forward(asked.launcher, call, input, h_0, c_0, weights, keeps, *inputs)
    if asked.every:
        results = *results, every_further(call, kept, results[0])
    if asked.output_batch_first:
        results[0].transpose_(0, 1)
    return results, kept


def _contiguous(x: Any) -> Any:
    return x if x is None or x.is_contiguous() else x.contiguous()


class _Layer(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, asked: _Asked, *tensors: Tensor | None) -> tuple[Tensor, ...]:
        results, kept = _run(asked, tensors, True)
        # not the output itself, which would hold on to this function; but a write to it is noticed, as by PyTorch's
        ctx.save_for_backward(results[0].detach(), kept, *tensors)
        ctx.asked = asked
        ctx.set_materialize_grads(False)
        return results

    @staticmethod
    @uncompiled
    def backward(ctx: Any, *d_results: Tensor | None) -> tuple[Tensor | None, ...]:
        output, kept, *tensors = ctx.saved_tensors
        needed = ctx.needs_input_grad[1:]
        if all(d_result is None for d_result in d_results):
            return None, *[None] * len(needed)
        launcher, call, _, output_batch_first = ctx.asked
        d_output, d_h_n, d_c_n, d_every = (*d_results, None, None)[:4]
        if output_batch_first:
            output, d_output = (None if x is None else x.transpose(0, 1) for x in (output, d_output))
        if d_every is not None or torch.is_grad_enabled() or not _gate.nothing_intercepts():
            # what shall be differentiated again, and what comes through the other states on the way, is left to
            # PyTorch's operations
            d_results = (d_output, *d_results[1:])
            return None, *differentiable_backward(call, tensors, tensors, d_results, needed)
        input, h_0, c_0, *given = map(_contiguous, tensors)
        weights, inputs = split(call, given)
        each = len(weights) // call.directions
        matrices = [matrix for first in range(0, len(weights), each) for matrix in weights[first : first + 2]]
        arriving = [*map(_contiguous, (d_output, d_h_n, d_c_n))]
        return None, *backward(launcher, call, input, h_0, c_0, matrices, output, kept, arriving, needed, *inputs)
