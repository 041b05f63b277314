"""One recurrent layer on a GPU, with its gradients: what ``elman.ops._layer`` is on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor

from elman import _gate
from elman.ops._calls import Call, every_further
from elman.ops._cells import BUILT_IN
from elman.ops._cuda import _calls
from elman.ops._cuda._launches import Launcher
from elman.ops._differentiable import differentiable_backward

__all__ = ["Layers"]

_requires_grad = attrgetter("requires_grad")


class Layers:
    """:func:`elman.ops.layer` and :func:`elman.ops.step` by a launcher of kernels."""

    def __init__(self, launcher: Launcher) -> None:
        self.launcher = launcher

    def layer(
        self,
        input: Tensor,
        batch_sizes: Tensor | None,
        h_0: Tensor | None,
        c_0: Tensor | None,
        weights: list[Tensor],
        hidden_size: int,
        cell: str,
        directions: int,
        output_batch_first: bool = False,
        every_c: bool = False,
    ) -> tuple[Tensor, ...]:
        call = self.launcher, cell, directions, hidden_size, batch_sizes, output_batch_first, every_c
        given = [x for x in (input, h_0, c_0, *weights) if x is not None]
        if torch.is_grad_enabled() and any(map(_requires_grad, given)):
            return _Layer.apply(call, input, h_0, c_0, *weights)  # type: ignore[no-untyped-call,no-any-return]
        results, _ = _run(call, input, h_0, c_0, weights, every_c)
        if output_batch_first:
            results[0].transpose_(0, 1)
        return results

    def step(
        self, input: Tensor, h: Tensor | None, c: Tensor | None, weights: list[Tensor], hidden_size: int, cell: str
    ) -> tuple[Tensor, ...]:
        h_0, c_0 = (None if x is None else x.unsqueeze(0) for x in (h, c))
        _, *states = self.layer(input.unsqueeze(0), None, h_0, c_0, weights, hidden_size, cell, 1)
        return tuple(state.squeeze(0) for state in states)


def _run(
    call: tuple[Any, ...], input: Tensor, h_0: Tensor | None, c_0: Tensor | None, weights: Sequence[Any], keeps: bool
) -> tuple[tuple[Tensor, ...], Tensor | None]:
    launcher, cell, directions, hidden_size, batch_sizes, _, every_c = call
    x, h_before, c_before, *in_rows = map(_contiguous, (input, h_0, c_0, *weights))
    sizes = cell, directions, hidden_size
    results, kept = _calls.forward(launcher, *sizes, x, h_before, c_before, batch_sizes, in_rows, keeps)
    if every_c:
        of_call = Call(BUILT_IN[cell], directions, hidden_size, batch_sizes)
        results = *results, every_further(of_call, kept, results[0])
    return results, kept


def _contiguous(x: Any) -> Any:
    return x if x is None or x.is_contiguous() else x.contiguous()


class _Layer(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, call: tuple[Any, ...], input: Tensor, h_0: Tensor | None, c_0: Tensor | None, *weights: Tensor
    ) -> tuple[Tensor, ...]:
        results, kept = _run(call, input, h_0, c_0, weights, True)
        *_, output_batch_first, _ = call
        output = results[0]
        if output_batch_first:
            output.transpose_(0, 1)
        # not the output itself, which would hold on to this function; but a write to it is noticed, as by PyTorch's
        saved = output.detach()
        ctx.save_for_backward(saved, kept, input, h_0, c_0, *weights)
        ctx.call = call
        ctx.set_materialize_grads(False)
        return results

    @staticmethod
    def backward(
        ctx: Any,
        d_output: Tensor | None,
        d_h_n: Tensor | None,
        d_c_n: Tensor | None = None,
        d_every_c: Tensor | None = None,
    ) -> tuple[Tensor | None, ...]:
        output, kept, *given = ctx.saved_tensors
        needed = ctx.needs_input_grad[1:]
        d_results = d_output, d_h_n, d_c_n, d_every_c
        if all(d_result is None for d_result in d_results):
            return None, *[None] * len(needed)
        launcher, cell, directions, hidden_size, batch_sizes, output_batch_first, _ = ctx.call
        if output_batch_first:
            output = output.transpose(0, 1)
            d_output = None if d_output is None else d_output.transpose(0, 1)
        if d_every_c is not None or torch.is_grad_enabled() or not _gate.nothing_intercepts():
            # what shall be differentiated again, and what comes through the cell states on the way, is left to
            # PyTorch's operations
            d_results = d_output, *d_results[1:]
            call = Call(BUILT_IN[cell], directions, hidden_size, batch_sizes)
            return None, *differentiable_backward(call, given, given, d_results, needed)
        input, h_0, c_0, *weights = map(_contiguous, given)
        d_output, d_h_n, d_c_n = map(_contiguous, (d_output, d_h_n, d_c_n))
        matrices = [weight for weight in weights if weight.dim() == 2]
        sizes = cell, directions, hidden_size
        saved, arriving = (output, kept), (d_output, d_h_n, d_c_n)
        return None, *_calls.backward(
            launcher, *sizes, input, h_0, c_0, batch_sizes, matrices, *saved, *arriving, needed
        )
