"""A layer and a step on the engine as operators in PyTorch's registry, for all that looks into a program.

What ``torch.compile``, ``torch.export``, fake tensors and ``torch.func`` see of a call is one of these::

    elman::layer    one layer, all its directions    elman::layer_backward    its gradients
    elman::step     one step                         elman::step_backward     its gradients

The gradients of the backward operators are those of ``elman.reference``, by which all goes that the engine does not
take: other devices, other dtypes. Eager calls have a shorter way: see ``_layer.py`` and ``_step.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from elman._cells import FAMILIES
from elman._gate import DTYPES, are_plain
from elman.ops import _calls
from elman.ops._differentiable import composed, differentiable_backward
from elman.ops._registered import Operator

__all__ = ["layer", "step"]

_FAMILY_OF = {cell: family for family in FAMILIES.values() for cell in family.modes.values()}


def layer(
    input: Tensor,
    batch_sizes: Tensor | None,
    h_0: Tensor | None,
    c_0: Tensor | None,
    weights: list[Tensor],
    cell: str,
    directions: int,
) -> tuple[Tensor, ...]:
    """What :func:`elman.ops.layer` returns, by the operator."""
    keeps = _any_learns([input, h_0, c_0, *weights])
    *results, _ = torch.ops.elman.layer(input, batch_sizes, h_0, c_0, weights, cell, directions, keeps)
    return tuple(results[: 1 + len(_FAMILY_OF[cell].states)])


def step(input: Tensor, h: Tensor | None, c: Tensor | None, weights: list[Tensor], cell: str) -> tuple[Tensor, ...]:
    """What :func:`elman.ops.step` returns, by the operator."""
    *states, _ = torch.ops.elman.step(input, h, c, weights, cell, _any_learns([input, h, c, *weights]))
    return tuple(states[: len(_FAMILY_OF[cell].states)])


def _any_learns(tensors: Sequence[Tensor | None]) -> bool:
    return torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in tensors)


# A call returns as many tensors always: an empty one in the place of a c that the cell has not, and last what is kept
# for the backward pass, empty where that is nothing. The numbers of a step are those of a layer without batch sizes
# whose input has no steps.


def _results(
    input: Tensor,
    batch_sizes: Tensor | None,
    h: Tensor | None,
    c: Tensor | None,
    weights: list[Tensor],
    cell: str,
    directions: int,
    keeps: bool,
) -> tuple[Tensor, ...]:
    results: Sequence[Tensor]
    kept = None
    if _is_the_engines(input) and are_plain([input, h, c, *weights]):
        units = weights[1].shape[1]
        results, kept = _calls.forward(cell, directions, units, input, h, c, batch_sizes, weights, keeps)
    else:
        results = composed(input, h, c, *weights, batch_sizes=batch_sizes, cell=cell, directions=directions)
    filled = [*results, kept] if len(_FAMILY_OF[cell].states) == 2 else [*results, None, kept]
    return tuple(input.new_empty(0) if tensor is None else tensor for tensor in filled)


def _shapes(
    input: Tensor,
    batch_sizes: Tensor | None,
    h: Tensor | None,
    c: Tensor | None,
    weights: list[Tensor],
    cell: str,
    directions: int,
    keeps: bool,
) -> tuple[Tensor, ...]:
    """The results without their numbers."""
    units, family, rows = weights[1].shape[1], _FAMILY_OF[cell], input.shape[:-1]
    if batch_sizes is None and input.dim() == 2:
        results, state = [], (*rows, units)
    else:
        results = [input.new_empty(*rows, directions * units)]
        if h is not None:
            state = h.shape
        else:
            batch = rows[1] if batch_sizes is None else torch.library.get_ctx().new_dynamic_size()
            state = directions, batch, units
    kept = (directions, rows.numel(), family.kept * units) if keeps and family.kept and _is_the_engines(input) else (0,)
    has_pair = len(family.states) == 2
    return *results, *map(input.new_empty, (state, state if has_pair else (0,), kept))


def _gradients(
    d_results: list[Tensor | None],
    output: Tensor,
    kept: Tensor,
    input: Tensor,
    batch_sizes: Tensor | None,
    h: Tensor | None,
    c: Tensor | None,
    weights: list[Tensor],
    cell: str,
    directions: int,
    needed: list[bool],
) -> list[Tensor]:
    """Those of input, batch_sizes, h, c and weights that are needed."""
    learnt, needed = [input, h, c, *weights], [needed[0], *needed[2:]]
    if not (_is_the_engines(input) and are_plain([output, kept, *learnt, *d_results])):
        found: Any = differentiable_backward(
            [None if x is None else x.detach().requires_grad_(need) for x, need in zip(learnt, needed, strict=True)],
            [None] * len(learnt),
            batch_sizes,
            cell,
            directions,
            d_results,
            needed,
        )
    else:
        if _FAMILY_OF[cell].kept and not kept.numel():
            *_, kept = _results(input, batch_sizes, h, c, weights, cell, directions, True)
        units, each = weights[1].shape[1], len(weights) // directions
        matrices = [weights[i] for first in range(0, len(weights), each) for i in (first, first + 1)]
        d_output, *d_states = d_results
        d_h, d_c = d_states if len(d_states) == 2 else (None, *d_states)
        found = _calls.backward(
            cell,
            directions,
            units,
            input,
            h,
            c,
            batch_sizes,
            matrices,
            output,
            kept if kept.numel() else None,
            d_output,
            d_h,
            d_c if c is not None or len(_FAMILY_OF[cell].states) == 2 else None,
            tuple(needed),
        )
    pairs = zip(learnt, found, needed, strict=True)
    return [torch.zeros_like(x) if d_x is None else d_x for x, d_x, need in pairs if need and x is not None]


def _composed(
    input: Tensor,
    batch_sizes: Tensor | None,
    h: Tensor | None,
    c: Tensor | None,
    weights: list[Tensor],
    cell: str,
    directions: int,
) -> list[Tensor]:
    return composed(input, h, c, *weights, batch_sizes=batch_sizes, cell=cell, directions=directions)


def _as_layer(input: Tensor, h: Tensor | None, c: Tensor | None, weights: list[Tensor], cell: str, *rest: Any) -> Any:
    """The arguments of a step as a layer's."""
    return input, None, h, c, weights, cell, 1, *rest


def _is_the_engines(input: Tensor) -> bool:
    return input.device.type == "cpu" and input.dtype in DTYPES


Operator(
    "layer",
    "Tensor input, Tensor? batch_sizes, Tensor? h_0, Tensor? c_0",
    "str cell, int directions",
    3,
    results=_results,
    shapes=_shapes,
    gradients=_gradients,
    composed=_composed,
)
Operator(
    "step",
    "Tensor input, Tensor? h, Tensor? c",
    "str cell",
    2,
    results=lambda *given: _results(*_as_layer(*given)),
    shapes=lambda *given: _shapes(*_as_layer(*given)),
    gradients=lambda *given: _gradients(*given[:3], *_as_layer(*given[3:-1], [given[-1][0], False, *given[-1][1:]])),
    composed=lambda *given: _composed(*_as_layer(*given)),
)
