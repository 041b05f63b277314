"""One step of a recurrent layer, with its gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from elman._gate import are_plain, nothing_intercepts
from elman.ops._calls import backward, forward
from elman.ops._differentiable import differentiable_backward
from elman.ops._kept import keep, originals

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
    """Saves the state that it returns, as PyTorch's cell does: it may not be written to before the backward pass."""

    @staticmethod
    def forward(
        ctx: Any, nonlinearity: str, hidden_size: int, input: Tensor, h: Tensor | None, *weights: Tensor
    ) -> Tensor:
        aliases, computed, leaves = keep((input, h, *weights[:2]))
        x, h_before, *matrices = aliases
        state, _ = forward(nonlinearity, 1, hidden_size, x, h_before, None, [*matrices, *weights[2:]])
        ctx.save_for_backward(state, *aliases, *computed)
        ctx.kept = nonlinearity, hidden_size, leaves, weights[2:]
        return state

    @staticmethod
    def backward(ctx: Any, d_state: Tensor) -> tuple[Tensor | None, ...]:
        state, input, h, *matrices = saved = ctx.saved_tensors  # once: checkpointing allows no second reading
        nonlinearity, hidden_size, leaves, biases = ctx.kept
        matrices, of_originals = matrices[:2], matrices[2:]
        needed = ctx.needs_input_grad[2:]
        if are_plain([*saved[:5], d_state]) and not torch.is_grad_enabled() and nothing_intercepts():
            return (
                None,
                None,
                *backward(nonlinearity, 1, hidden_size, input, h, None, matrices, state, d_state, None, needed),
            )
        # what is no plain tensor, and what shall be differentiated again, is left to PyTorch's operations
        given = input, h, *matrices, *biases
        leads = *originals(leaves, of_originals), *biases
        return None, None, *differentiable_backward(given, leads, None, nonlinearity, 1, d_state, None, needed)


# What PyTorch's own apply does first is look for transforms: the gate has seen to it that there are none.
_apply: Any = getattr(super(torch.autograd.Function, _Step), "apply", _Step.apply)
