"""One step of a recurrent layer, with its gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from elman._gate import are_plain, nothing_intercepts
from elman.ops._calls import backward, forward
from elman.ops._kept import joined, keep, originals

__all__ = ["step"]


def step(input: Tensor, h: Tensor | None, weights: list[Tensor], hidden_size: int, nonlinearity: str) -> Tensor:
    """Return the state after one step of an Elman network.

    Args:
        input: ``(batch, input_size)`` of any strides.
        h: the state before, ``(batch, hidden_size)``; None counts as zeros.
        weights: ``weight_ih, weight_hh`` and, with biases, ``bias_ih, bias_hh``.
        hidden_size: that of the weights.
        nonlinearity: ``"tanh"`` or ``"relu"``.

    Returns:
        ``(batch, hidden_size)``.
    """
    if torch.is_grad_enabled() and (
        weights[0].requires_grad
        or input.requires_grad
        or (h is not None and h.requires_grad)
        or any(weight.requires_grad for weight in weights)
    ):
        return _apply(nonlinearity, hidden_size, input, h, *weights)  # type: ignore[no-any-return]
    return forward(nonlinearity, 1, hidden_size, input, h, None, weights)[0]


class _Step(torch.autograd.Function):
    """Saves what PyTorch's cell does: what the gradients that are wanted will need, and the state that it returns.

    So the state, and what is saved, may not be written to before the backward pass; biases and all else may.
    """

    @staticmethod
    def forward(
        ctx: Any, nonlinearity: str, hidden_size: int, input: Tensor, h: Tensor | None, *weights: Tensor
    ) -> Tensor:
        learns_input, learns_h, learns_w_ih, learns_w_hh = ctx.needs_input_grad[2:6]
        w_ih, w_hh, *biases = weights
        aliases, computed, leaves = keep(
            (
                input if learns_w_ih else None,
                h if learns_w_hh else None,
                w_ih if learns_input else None,
                w_hh if learns_h else None,
            )
        )
        x, h_before = aliases[0] if learns_w_ih else input, aliases[1] if learns_w_hh else h
        # the engine wants both matrices: those that are not saved it looks at, and leaves
        unsaved = None if learns_input else w_ih.detach(), None if learns_h else w_hh.detach()
        matrices = [*map(_either, aliases[2:], unsaved)]
        state, _ = forward(nonlinearity, 1, hidden_size, x, h_before, None, [*matrices, *biases])
        ctx.save_for_backward(state, *aliases, *computed)
        ctx.kept = nonlinearity, hidden_size, leaves, unsaved
        return state

    @staticmethod
    def backward(ctx: Any, d_state: Tensor) -> tuple[Tensor | None, ...]:
        state, input, h, w_ih, w_hh, *of_originals = ctx.saved_tensors  # once: checkpointing allows no second reading
        nonlinearity, hidden_size, leaves, unsaved = ctx.kept
        needed = ctx.needs_input_grad[2:]
        matrices = [*map(_either, (w_ih, w_hh), unsaved)]
        if are_plain([state, input, h, *matrices, d_state]) and not torch.is_grad_enabled() and nothing_intercepts():
            if input is None:  # its size alone is looked at
                input = d_state.new_empty(()).expand(len(d_state), matrices[0].shape[1])
            return (
                None,
                None,
                *backward(nonlinearity, 1, hidden_size, input, h, None, matrices, state, d_state, None, needed),
            )
        # by operations that PyTorch can differentiate again
        input, h, w_ih, w_hh = map(joined, (input, h, w_ih, w_hh), originals(leaves, of_originals))
        aten = torch.ops.aten
        d = aten.tanh_backward(d_state, state) if nonlinearity == "tanh" else aten.threshold_backward(d_state, state, 0)
        d_w_hh = d.new_zeros(hidden_size, hidden_size) if h is None else d.transpose(0, 1) @ h
        return (
            None,
            None,
            d @ w_ih if needed[0] else None,
            d @ w_hh if needed[1] else None,
            d.transpose(0, 1) @ input if needed[2] else None,
            d_w_hh if needed[3] else None,
            *[d.sum(0) if need else None for need in needed[4:]],
        )


def _either(first: Any, second: Any) -> Any:
    return second if first is None else first


# What PyTorch's own apply does first is look for transforms: the gate has seen to it that there are none.
_apply: Any = getattr(super(torch.autograd.Function, _Step), "apply", _Step.apply)
