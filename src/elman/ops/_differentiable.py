"""The backward pass by operations that PyTorch can differentiate again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from elman.ops._calls import Call, composed
from elman.ops._kept import joined

__all__ = ["differentiable_backward", "differentiated"]


def differentiable_backward(
    call: Call,
    given: Sequence[Tensor | None],
    originals: Sequence[Tensor | None],
    d_results: Sequence[Tensor | None],
    needed: Sequence[bool],
) -> list[Tensor | None]:
    """What the engine computes, by operations that PyTorch can differentiate again.

    ``given`` are input, h_0, c_0 and all else that a call is given, ``originals`` where autograd goes on from them: see
    :func:`joined`. One step, input ``(batch, features)`` without batch sizes, has its states for results, a layer its
    output and them; ``d_results`` may be more, and the fourth that of the states but the first at every step.
    """
    every = len(d_results) == 4 and d_results[3] is not None
    run = partial(composed, call, every=every)
    return differentiated(run, lambda: [*map(joined, given, originals)], d_results, needed)


def differentiated(
    run: Callable[..., Sequence[Tensor]],
    make_aliases: Callable[[], Sequence[Tensor | None]],
    d_results: Sequence[Tensor | None],
    needed: Sequence[bool],
) -> list[Tensor | None]:
    """The gradients of what ``run`` computes of aliases, in such a way that PyTorch can differentiate them again.

    An alias each of what it is given, lest a tensor that is given twice gets the gradient of both its uses twice.
    """
    create_graph = torch.is_grad_enabled()
    with torch.enable_grad():
        aliases = make_aliases()
        wanted = [pair for pair in zip(run(*aliases), d_results, strict=False) if pair[1] is not None]
        gradients = torch.autograd.grad(
            [result for result, _ in wanted],
            [alias for alias, need in zip(aliases, needed, strict=True) if need and alias is not None],
            [gradient for _, gradient in wanted],
            create_graph=create_graph,
            allow_unused=True,
        )
    remaining = iter(gradients)
    return [next(remaining) if need else None for need in needed]
