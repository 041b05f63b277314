"""A layer and a step on the engine as operators in PyTorch's registry, for all that looks into a program.

What ``torch.compile``, ``torch.export``, fake tensors and ``torch.func`` see of a call is one of these::

    elman::layer    one layer, all its directions    elman::layer_backward    its gradients
    elman::step     one step                         elman::step_backward     its gradients

The gradients of the backward operators are those of ``elman.reference``, by which all goes that the engine does not
take: other devices, other dtypes. Eager calls have a shorter way: see ``_layer.py`` and ``_step.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from elman._cells import FAMILIES
from elman._gate import DTYPES, are_plain, nothing_intercepts
from elman.ops import _calls
from elman.ops._differentiable import composed
from elman.ops._layer import cells_of
from elman.ops._layer import layer as layer_eagerly
from elman.ops._pieces import Padded, check_lengths, cut
from elman.ops._registered import Operator
from elman.ops._step import step as step_eagerly

__all__ = ["layer", "step"]

_FAMILY_OF = {cell: family for family in FAMILIES.values() for cell in family.modes.values()}


def layer(
    input: Tensor,
    batch_sizes: Tensor | None,
    h_0: Tensor | None,
    c_0: Tensor | None,
    weights: list[Tensor],
    hidden_size: int,
    cell: str,
    directions: int,
    output_batch_first: bool = False,
    *,
    lengths: Tensor | None = None,
    resets: Tensor | None = None,
    h_reset: Tensor | None = None,
    c_reset: Tensor | None = None,
    every_c: bool = False,
) -> tuple[Tensor, ...]:
    """What :func:`elman.ops.layer` returns, by the operator.

    Args:
        input, batch_sizes, h_0, c_0, weights, hidden_size, cell, directions, output_batch_first, every_c: as
            there.
        lengths: of padded input the steps of each sequence, ``(batch)``, int64. What lies behind them is not read, and
            the output there is zeros.
        resets: of padded input before which steps the states are set to the following, ``(steps, batch)``, boolean.
        h_reset, c_reset: ``(directions, hidden_size)``; None counts as zeros. Read with ``lengths`` or ``resets`` only,
            where they also stand for an initial state that is None.
    """
    learnt = [input, h_0, c_0, h_reset, c_reset, *weights]
    of_pieces = lengths, resets, h_0, c_0, h_reset, c_reset
    *results, cells, _ = torch.ops.elman.layer(
        input, batch_sizes, *of_pieces, weights, cell, directions, every_c, _any_learns(learnt)
    )
    if output_batch_first:
        results[0] = results[0].transpose(0, 1)
    results = results[: 1 + len(_FAMILY_OF[cell].states)]
    return (*results, cells) if every_c else tuple(results)


def step(
    input: Tensor, h: Tensor | None, c: Tensor | None, weights: list[Tensor], hidden_size: int, cell: str
) -> tuple[Tensor, ...]:
    """What :func:`elman.ops.step` returns, by the operator."""
    *states, _ = torch.ops.elman.step(input, h, c, weights, cell, _any_learns([input, h, c, *weights]))
    return tuple(states[: len(_FAMILY_OF[cell].states)])


def _any_learns(tensors: Sequence[Tensor | None]) -> bool:
    return torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in tensors)


# A call returns as many tensors always: an empty one in the place of what the cell has not or what is not asked for,
# and last what is kept for the backward pass.


def _layer(
    input: Tensor,
    batch_sizes: Tensor | None,
    lengths: Tensor | None,
    resets: Tensor | None,
    h_0: Tensor | None,
    c_0: Tensor | None,
    h_reset: Tensor | None,
    c_reset: Tensor | None,
    weights: list[Tensor],
    cell: str,
    directions: int,
    every_c: bool,
    keeps: bool = False,
) -> tuple[Tensor, ...]:
    is_whole = lengths is None and resets is None
    if is_whole and keeps and nothing_intercepts() and _is_the_engines([input, h_0, c_0, *weights]):
        units = weights[1].shape[1]
        (output, *states), kept = _calls.forward(cell, directions, units, input, h_0, c_0, batch_sizes, weights, True)
        cells = [cells_of(kept, units).view(output.shape)] if every_c else []
    else:
        kept = None
        run = partial(_layer_of, weights=weights, cell=cell, directions=directions, every_c=every_c)
        given = [(h_0, h_reset), (c_0, c_reset)][: len(_FAMILY_OF[cell].states)]
        if is_whole:
            output, *states = run(input, batch_sizes, None, h_0, c_0)
        else:
            output, *states = _in_pieces(input, lengths, resets, given, run)
        states, cells = states[: len(given)], states[len(given) :]
    return output, *_both(input, states), *(cells or [input.new_empty(0)]), input.new_empty(0) if kept is None else kept


def _both(input: Tensor, states: Sequence[Tensor]) -> Sequence[Tensor]:
    return states if len(states) == 2 else [*states, input.new_empty(0)]


def _layer_of(
    input: Tensor,
    batch_sizes: Tensor | None,
    places: Tensor | None,
    h_0: Tensor | None,
    c_0: Tensor | None = None,
    *,
    weights: list[Tensor],
    cell: str,
    directions: int,
    every_c: bool,
) -> Sequence[Tensor]:
    """What :func:`elman.ops.layer` returns, for any tensors."""
    if _is_the_engines([input, h_0, c_0, *weights]) and nothing_intercepts():
        given = input, batch_sizes, h_0, c_0, weights, weights[1].shape[1], cell, directions
        return layer_eagerly(*given, every_c=every_c, places=places)
    options: dict[str, Any] = {"batch_sizes": batch_sizes, "cell": cell, "directions": directions}
    return composed(input, h_0, c_0, *weights, **options, every_c=every_c, places=places)


def _in_pieces(
    input: Tensor,
    lengths: Tensor | None,
    resets: Tensor | None,
    states: Sequence[tuple[Tensor | None, Tensor | None]],
    run: Callable[..., Sequence[Tensor]],
) -> list[Tensor]:
    """A layer over what lengths and resets make of its input."""
    steps, batch = input.shape[:2]
    ends = np.full(batch, steps) if lengths is None else lengths.numpy(force=True)
    check_lengths(ends, steps)
    flags = None if resets is None else resets.numpy(force=True).T
    padded = Padded(input, False, cut(ends, flags, steps), in_place=True)
    output, *others = run(*padded.rows(), *(padded.begin(*of) for of in states))
    final = [padded.end(x, *of) for x, of in zip(others[: len(states)], states, strict=True)]
    return [padded.back(output), *final, *map(padded.back, others[len(states) :])]


def _layer_shapes(
    input: Tensor,
    batch_sizes: Tensor | None,
    lengths: Tensor | None,
    resets: Tensor | None,
    h_0: Tensor | None,
    c_0: Tensor | None,
    h_reset: Tensor | None,
    c_reset: Tensor | None,
    weights: list[Tensor],
    cell: str,
    directions: int,
    every_c: bool,
    keeps: bool,
) -> tuple[Tensor, ...]:
    """The results without their numbers."""
    rows, units, family = input.shape[:-1], weights[1].shape[1], _FAMILY_OF[cell]
    output = *rows, directions * units
    if h_0 is not None:
        batch: Any = h_0.shape[1]
    else:
        batch = rows[1] if batch_sizes is None else torch.library.get_ctx().new_dynamic_size()
    state, nothing = (directions, batch, units), (0,)
    keeps = keeps and lengths is None and resets is None and _is_for_the_engine(input)
    shapes = (
        output,
        state,
        state if len(family.states) == 2 else nothing,
        output if every_c else nothing,
        (directions, prod(rows), family.kept * units) if keeps and family.kept else nothing,
    )
    return tuple(map(input.new_empty, shapes))


def _layer_gradients(
    d_results: list[Tensor | None],
    output: Tensor,
    kept: Tensor,
    input: Tensor,
    batch_sizes: Tensor | None,
    lengths: Tensor | None,
    resets: Tensor | None,
    h_0: Tensor | None,
    c_0: Tensor | None,
    h_reset: Tensor | None,
    c_reset: Tensor | None,
    weights: list[Tensor],
    cell: str,
    directions: int,
    every_c: bool,
    needed: list[bool],
) -> Sequence[Tensor | None] | None:
    """Of all tensors and weights in their order; None where autograd has to find them."""
    d_output, d_h_n, d_c_n, d_cells = d_results
    if not (lengths is None and resets is None) or (every_c and d_cells is not None):
        return None
    found = _gradients(
        input,
        batch_sizes,
        h_0,
        c_0,
        weights,
        cell,
        directions,
        output,
        kept,
        (d_output, d_h_n, d_c_n),
        (needed[0], *needed[4:6], *needed[8:]),
    )
    return found and (found[0], None, None, None, *found[1:3], None, None, *found[3:])


def _step(
    input: Tensor, h: Tensor | None, c: Tensor | None, weights: list[Tensor], cell: str, keeps: bool = False
) -> tuple[Tensor, ...]:
    kept = None
    results: Sequence[Tensor]
    if not (_is_the_engines([input, h, c, *weights]) and nothing_intercepts()):
        results = composed(input, h, c, *weights, batch_sizes=None, cell=cell, directions=1)
    elif keeps:
        results, kept = _calls.forward(cell, 1, weights[1].shape[1], input, h, c, None, weights, True)
    else:
        results = step_eagerly(input, h, c, weights, weights[1].shape[1], cell)
    return *_both(input, results), input.new_empty(0) if kept is None else kept


def _step_shapes(
    input: Tensor, h: Tensor | None, c: Tensor | None, weights: list[Tensor], cell: str, keeps: bool
) -> tuple[Tensor, ...]:
    family, (rows, _), units = _FAMILY_OF[cell], input.shape, weights[1].shape[1]
    second = (rows, units) if len(family.states) == 2 else (0,)
    keeps = keeps and family.kept > 0 and _is_for_the_engine(input)
    shapes = (rows, units), second, (1, rows, family.kept * units) if keeps else (0,)
    return tuple(map(input.new_empty, shapes))


def _step_gradients(
    d_results: list[Tensor | None],
    output: Tensor,
    kept: Tensor,
    input: Tensor,
    h: Tensor | None,
    c: Tensor | None,
    weights: list[Tensor],
    cell: str,
    needed: list[bool],
) -> Sequence[Tensor | None] | None:
    """Of all tensors and weights in their order; None where autograd has to find them."""
    d_h, d_c = d_results
    return _gradients(input, None, h, c, weights, cell, 1, output, kept, (d_h, None, d_c), (*needed,))


def _gradients(
    input: Tensor,
    batch_sizes: Tensor | None,
    h: Tensor | None,
    c: Tensor | None,
    weights: list[Tensor],
    cell: str,
    directions: int,
    output: Tensor,
    kept: Tensor,
    d_results: Sequence[Tensor | None],
    needed: tuple[bool, ...],
) -> Sequence[Tensor | None] | None:
    """The engine's, of input, h, c and weights; None where it cannot."""
    family, units, each = _FAMILY_OF[cell], weights[1].shape[1], len(weights) // directions
    d_output, d_h, d_c = d_results if len(family.states) == 2 else (*d_results[:2], None)
    if not _is_the_engines([input, h, c, *weights, output, kept, d_output, d_h, d_c]):
        return None
    if family.kept and not kept.numel():
        _, found = _calls.forward(cell, directions, units, input, h, c, batch_sizes, weights, True)
        kept = found if found is not None else kept
    return _calls.backward(
        cell,
        directions,
        units,
        input,
        h,
        c,
        batch_sizes,
        [weight for first in range(0, len(weights), each) for weight in weights[first : first + 2]],
        output,
        kept if family.kept else None,
        d_output,
        d_h,
        d_c,
        needed,
    )


def _is_for_the_engine(input: Tensor) -> bool:
    return input.device.type == "cpu" and input.dtype in DTYPES


def _is_the_engines(tensors: Sequence[Tensor | None]) -> bool:
    """Whether it takes these, the first of which is an input."""
    first: Any = tensors[0]
    return _is_for_the_engine(first) and are_plain([*tensors])


Operator(
    "layer",
    "Tensor input, Tensor? batch_sizes, Tensor? lengths, Tensor? resets, "
    "Tensor? h_0, Tensor? c_0, Tensor? h_reset, Tensor? c_reset",
    "str cell, int directions, bool every_c",
    4,
    results=_layer,
    shapes=_layer_shapes,
    gradients=_layer_gradients,
)
Operator(
    "step",
    "Tensor input, Tensor? h, Tensor? c",
    "str cell",
    2,
    results=_step,
    shapes=_step_shapes,
    gradients=_step_gradients,
)
