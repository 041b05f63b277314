"""One step of a recurrent layer, with its gradients."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor

from elman import _engine
from elman._gate import nothing_intercepts, threads
from elman.ops._calls import Call, backward, forward, tell_forward
from elman.ops._cells import BUILT_IN
from elman.ops._differentiable import differentiable_backward
from elman.ops._flops import profiler
from elman.ops._kept import originals, uncompiled

__all__ = ["step", "step_if_admitted"]

_copies: Any = _engine.copies
_keep_needed: Any = _engine.keep_needed
_step_if_admitted: Any = _engine.step_if_admitted
_versions: Any = _engine.versions
# what there is of a call besides its tensors, made once: little time is as short as a step
_call_of = cache(lambda cell, hidden_size: Call(BUILT_IN[cell], 1, hidden_size, None))


def step(
    input: Tensor, h: Tensor | None, c: Tensor | None, weights: list[Tensor], hidden_size: int, cell: str
) -> tuple[Tensor, ...]:
    """Return the state after one step of a recurrent network, of an LSTM both states.

    Args:
        input: ``(batch, input_size)`` of any strides.
        h: the state before, ``(batch, hidden_size)``; None counts as zeros.
        c: of an LSTM the other one; of other cells None.
        weights: ``weight_ih, weight_hh`` and, with biases, ``bias_ih, bias_hh``.
        hidden_size: that of the weights.
        cell: ``"tanh"``, ``"relu"``, ``"gru"`` or ``"lstm"``.

    Returns:
        ``(h,)`` or ``(h, c)``, each ``(batch, hidden_size)``.
    """
    call = _call_of(cell, hidden_size)
    if torch.is_grad_enabled() and (
        weights[0].requires_grad
        or input.requires_grad
        or (h is not None and h.requires_grad)
        or (c is not None and c.requires_grad)
        or any(weight.requires_grad for weight in weights)
    ):
        return _apply(call, input, h, c, *weights)  # type: ignore[no-any-return]
    return forward(call, input, h, c, weights, False)[0]


def step_if_admitted(
    cell: str,
    input: Any,
    hx: Any,
    parameters: Any,
    input_size: Any,
    hidden_size: Any,
    bias: Any,
    reset: Any = None,
) -> Any:
    """What a cell of ``torch.nn`` with these ``parameters`` returns of ``(batch, input_size)``.

    None where the gate does not admit these, or the input or a state has other sizes. With ``reset`` (batch) of states
    that are zeros in the rows it flags, where no gradients are needed.
    """
    built_in = BUILT_IN[cell]
    results = _step_if_admitted(
        built_in.code,
        threads,
        input,
        hx,
        parameters,
        input_size,
        hidden_size,
        bias,
        torch.is_grad_enabled(),
        reset,
    )
    if type(results) is list:  # h, c and the weights
        states = _apply(_call_of(cell, hidden_size), input, *results)
        return states if built_in.states == 2 else states[0]
    if profiler._is_profiler_enabled and results is not None:
        state = results[0] if built_in.states == 2 else results
        tell_forward(input, state, [parameters["weight_ih"], parameters["weight_hh"]], 1)
    return results


class _Step(torch.autograd.Function):
    """Saves what PyTorch's cell does: what the gradients that are wanted will need, and an Elman cell's state.

    So these may not be written to before the backward pass; biases and all else may.
    """

    @staticmethod
    def forward(
        ctx: Any, call: Call, input: Tensor, h: Tensor | None, c: Tensor | None, *weights: Tensor
    ) -> tuple[Tensor, ...]:
        learns = ctx.needs_input_grad[1:]
        learns_input, learns_h, _, learns_w_ih, learns_w_hh = learns[:5]
        w_ih, w_hh, *biases = weights
        learns_c = c is not None and any((*learns[:2], *learns[3:]))
        needed = learns_w_ih, learns_w_hh, learns_c, learns_input, learns_h
        aliases, computed, leads, values, unchecked, versions = _keep_needed((input, h, c, w_ih, w_hh), needed, learns)
        x, h_before, c_before, *matrices = values
        results, kept = forward(call, x, h_before, c_before, [*matrices, *biases], True)
        if kept is not None and unchecked[1] is not None:
            # W_hh aside h is also read by a cell that keeps it in part: PyTorch's has a copy then
            unchecked[1], versions[1] = unchecked[1].clone(), 0
        ctx.save_for_backward(results[0] if kept is None else kept, *aliases, *computed)
        ctx.kept = call, kept is not None, leads, unchecked, versions, biases, _copies(biases)
        ctx.set_materialize_grads(False)
        return results

    @staticmethod
    @uncompiled
    def backward(ctx: Any, d_h: Tensor | None, d_c: Tensor | None = None) -> tuple[Tensor | None, ...]:
        saved, *rest = ctx.saved_tensors  # once: checkpointing allows no second reading
        call, keeps, leads, unchecked, versions, biases, numbers = ctx.kept
        needed = ctx.needs_input_grad[1:]
        if d_h is None and d_c is None:
            return None, *[None] * len(needed)
        values = [x if alias is None else alias for x, alias in zip(unchecked, rest[:5], strict=True)]
        if not torch.is_grad_enabled() and nothing_intercepts():
            input, h, c, *matrices = values
            state, kept = (None, saved) if keeps else (saved, None)
            gradients = backward(call, input, h, c, matrices, state, kept, (d_h, None, d_c), needed)
            if gradients is not None:
                return None, *gradients
        # by operations that PyTorch can differentiate again
        if versions != _versions(unchecked):
            raise RuntimeError("a variable needed for gradient computation has been modified by an inplace operation")
        as_they_were = [torch.frombuffer(bytearray(copy), dtype=values[0].dtype) for copy in numbers]
        arguments, leads = [*values, *as_they_were], [*originals(leads, rest[5:]), *biases]
        return None, *differentiable_backward(call, arguments, leads, (d_h, d_c), needed)


# What PyTorch's own apply does first is look for transforms: the gate has seen to it that there are none.
_apply: Any = getattr(super(torch.autograd.Function, _Step), "apply", _Step.apply)
