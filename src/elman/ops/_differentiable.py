"""The backward pass by operations that PyTorch can differentiate again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from elman import reference
from elman.ops._kept import joined
from elman.ops._rows import index_of, put, take

__all__ = ["composed", "differentiable_backward", "differentiated", "gradients_by_equations"]


def gradients_by_equations(
    given: Sequence[Any],
    batch_sizes: Tensor | None,
    cell: str,
    directions: int,
    d_results: Sequence[Any],
    needed: Sequence[bool],
) -> tuple[Tensor, ...]:
    """The ``needed`` gradients of ``given``, input, h_0, c_0 and weights, as a function that has all derivatives."""

    def results(*wanted: Tensor) -> tuple[Tensor, ...]:
        remaining = iter(wanted)
        arguments = [next(remaining) if need else tensor for tensor, need in zip(given, needed, strict=True)]
        return (*composed(*arguments, batch_sizes=batch_sizes, cell=cell, directions=directions),)

    vjp: Any = torch.func.vjp
    found, pull = vjp(results, *(tensor for tensor, need in zip(given, needed, strict=True) if need))
    arriving = tuple(torch.zeros_like(x) if d is None else d for x, d in zip(found, d_results, strict=False))
    return pull(arriving)  # type: ignore[no-any-return]


def differentiable_backward(
    given: Sequence[Tensor | None],
    originals: Sequence[Tensor | None],
    batch_sizes: Tensor | None,
    cell: str,
    directions: int,
    d_results: Sequence[Tensor | None],
    needed: Sequence[bool],
    places: Tensor | None = None,
) -> list[Tensor | None]:
    """What the engine computes, by operations that PyTorch can differentiate again.

    ``given`` are input, h_0, c_0 and weights, ``originals`` where autograd goes on from them: see :func:`joined`.
    One step, input ``(batch, features)`` without batch sizes, has its states for results, a layer its output and them;
    ``d_results`` may be more.
    """
    every_c = len(d_results) == 4 and d_results[3] is not None
    run = partial(composed, batch_sizes=batch_sizes, cell=cell, directions=directions, every_c=every_c, places=places)
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


def composed(
    input: Tensor,
    h_0: Tensor | None,
    c_0: Tensor | None,
    *weights: Tensor,
    batch_sizes: Tensor | None,
    cell: str,
    directions: int,
    every_c: bool = False,
    places: Tensor | None = None,
) -> list[Tensor]:
    """What :func:`elman.ops.layer` returns, or :func:`elman.ops.step`, composed of PyTorch's operations."""
    each = len(weights) // directions
    none = [None] * (4 - each)
    if batch_sizes is None and input.dim() == 2:
        return [*reference.layer(input.unsqueeze(0), None, h_0, c_0, *weights, *none, cell=cell, reverse=False)[1:]]
    if batch_sizes is not None and places is not None:
        sizes, index = input.shape[:2], index_of(batch_sizes, places, input.shape[1])
        options: dict[str, Any] = {"cell": cell, "directions": directions, "every_c": every_c}
        output, *others = composed(take(input, index), h_0, c_0, *weights, batch_sizes=batch_sizes, **options)
        if every_c:
            others[-1] = put(others[-1], index, *sizes)
        return [put(output, index, *sizes), *others]
    of_directions = [
        reference.layer(
            input,
            batch_sizes,
            None if h_0 is None else h_0[direction],
            None if c_0 is None else c_0[direction],
            *weights[direction * each : (direction + 1) * each],
            *none,
            cell=cell,
            reverse=direction == 1,
            every_c=every_c,
        )
        for direction in range(directions)
    ]
    outputs, *states = zip(*of_directions, strict=True)
    cells = [torch.cat(states.pop(), -1)] if every_c else []
    return [torch.cat(outputs, -1), *map(torch.stack, states), *cells]
