"""The backward pass by operations that PyTorch can differentiate again."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from elman import reference
from elman.ops._kept import joined

__all__ = ["differentiable_backward"]


def differentiable_backward(
    given: Sequence[Tensor | None],
    originals: Sequence[Tensor | None],
    batch_sizes: Tensor | None,
    nonlinearity: str,
    directions: int,
    d_output: Tensor | None,
    d_h_n: Tensor | None,
    needed: Sequence[bool],
) -> list[Tensor | None]:
    """What the engine computes, by operations that PyTorch can differentiate again.

    ``given`` are input, h_0 and weights, ``originals`` where autograd goes on from them: see :func:`joined`.
    """
    create_graph = torch.is_grad_enabled()
    with torch.enable_grad():
        # an alias each, lest a tensor that is passed twice gets the gradient of both its uses twice
        aliases = [*map(joined, given, originals)]
        x, h, *parameters = aliases
        outputs, states = [], []
        each = len(parameters) // directions
        for direction in range(directions):
            of_direction = parameters[direction * each : (direction + 1) * each]
            output, h_n = reference.layer(
                x,
                batch_sizes,
                None if h is None else h[direction],
                *of_direction,
                *[None] * (4 - each),
                nonlinearity=nonlinearity,
                reverse=direction == 1,
            )
            outputs.append(output)
            states.append(h_n)
        results = [(torch.cat(outputs, -1), d_output), (torch.stack(states), d_h_n)]
        results = [(result, gradient) for result, gradient in results if gradient is not None]
        gradients = torch.autograd.grad(
            [result for result, _ in results],
            [tensor for tensor, need in zip(aliases, needed, strict=True) if need],
            [gradient for _, gradient in results],
            create_graph=create_graph,
            allow_unused=True,
        )
    remaining = iter(gradients)
    return [next(remaining) if need else None for need in needed]
