"""A layer as an operator in PyTorch's registry, on the engine or by PyTorch's operations.

``elman::layer`` is one layer of any cell, all its directions; ``elman::layer_backward`` its gradients, whose own are
those of ``elman.reference``. By that all goes that the engine does not take: other devices, other dtypes. Eager calls
have a shorter way: see ``_layer.py``, ``_step.py`` and ``_program.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor

from elman import _gate
from elman._gate import are_plain, is_for_the_engine, nothing_intercepts
from elman.ops import _calls
from elman.ops._arguments import Arguments, Backward
from elman.ops._calls import Call, apart, composed, one_step, together
from elman.ops._cells import BUILT_IN
from elman.ops._layer import run as layer_eagerly
from elman.ops._masked import masked
from elman.ops._pieces import Padded, cut_by
from elman.ops._registered import register

__all__ = ["layer", "run", "step", "transformed", "transformed_step"]


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
    every_c: bool = False,
    *,
    lengths: Tensor | None = None,
    resets: Tensor | None = None,
    h_reset: Tensor | None = None,
    c_reset: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """What :func:`elman.ops.layer` returns, by the operator; ``lengths`` and what follows as in :class:`Arguments`."""
    arguments = Arguments(
        *(input, batch_sizes, lengths, resets, h_0, c_0, h_reset, c_reset), weights, cell, directions, every_c
    )
    output, *others = run(Call(BUILT_IN[cell], directions, hidden_size, batch_sizes), arguments)
    return output.transpose(0, 1) if output_batch_first else output, *others


def transformed(
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
    **cuts: Any,
) -> tuple[Tensor, ...]:
    """:func:`layer` of tensors that ``torch.func`` has wrapped, in forward mode and under autocast too.

    Under autocast the results alone are of its dtype; a GRU's, which are made of its states too, of theirs.
    """
    of_call = weights, hidden_size, cell, directions
    if not _gate.is_autocast():  # whose context would be a graph of its own in an exported program
        return layer(input, batch_sizes, h_0, c_0, *of_call, output_batch_first, every_c, **cuts)
    given: list[Any] = [input, h_0, c_0]
    dtype = lower = weights[0].dtype
    if dtype is torch.float32:
        lower = torch.get_autocast_dtype("cpu")
        if cell == "gru":
            lower = torch.promote_types(lower, (input if h_0 is None else h_0).dtype)
        given = [None if x is None else x.to(dtype) for x in given]
    with torch.autocast("cpu", enabled=False):
        x, h_0, c_0 = given
        output, *others = layer(x, batch_sizes, h_0, c_0, *of_call, every_c=every_c, **cuts)
    output, *others = (x.to(lower) for x in (output, *others))
    return output.transpose(0, 1) if output_batch_first else output, *others


def step(
    input: Tensor, h: Tensor | None, c: Tensor | None, weights: list[Tensor], hidden_size: int, cell: str
) -> tuple[Tensor, ...]:
    """What :func:`elman.ops.step` returns, by the operator: a layer of one step, which has the same bits."""
    return one_step(layer, input, h, c, weights, hidden_size, cell)


def transformed_step(
    input: Tensor, h: Tensor | None, c: Tensor | None, weights: list[Tensor], hidden_size: int, cell: str
) -> tuple[Tensor, ...]:
    """:func:`step` of such tensors as :func:`transformed` takes."""
    return one_step(transformed, input, h, c, weights, hidden_size, cell)


def run(call: Call, arguments: Arguments) -> tuple[Tensor, ...]:
    """Output, final states and, if asked for, the states but the first after every step."""
    if _gate.is_forward_mode():  # in which operators have no derivatives
        if not arguments.is_whole:
            return (*masked(call, arguments),)
        return (*composed(call, *arguments.tensors, every=arguments.every),)
    output, h_n, c_n, every, _ = torch.ops.elman.layer(*arguments, _gate.is_differentiated(arguments.flat))
    further = (c_n, every) if arguments.every else (c_n,)
    return (output, h_n, *further) if call.cell.states > 1 else (output, h_n)


def _results(arguments: Arguments, keeps: bool) -> tuple[Tensor, ...]:
    call, tensors, kept = arguments.call, arguments.tensors, None
    every = arguments.every and call.cell.states > 1
    if not arguments.is_whole:
        is_known = not (_gate.is_traced(arguments.input) or _gate.is_transformed())
        results = _in_pieces(arguments, every) if is_known else masked(call, arguments)
    elif keeps and _is_the_engines(tensors):
        weights, inputs = _calls.split(call, arguments.given)
        results, kept = _calls.forward(call, *tensors[:3], weights, True, *inputs)
        if every:
            results = *results, _calls.every_further(call, kept, results[0])
    else:
        results = _differentiable(call, tensors, every)
    missing = [None] * (4 - len(results))
    # no two of an operator's results may be the same tensor
    return tuple(arguments.input.new_empty(0) if x is None else x for x in (*results, *missing, kept))


def _differentiable(call: Call, tensors: Sequence[Any], every: bool) -> Sequence[Tensor]:
    """What autograd can differentiate."""
    return (layer_eagerly if _is_the_engines(tensors) else composed)(call, *tensors, every=every)


def _in_pieces(arguments: Arguments, every: bool) -> Sequence[Tensor]:
    """A layer over what lengths and resets make of its input."""
    call, input, lengths, resets = arguments.call, arguments.input, arguments.lengths, arguments.resets
    count, (steps, batch) = call.cell.states, input.shape[:2]
    padded = Padded(input, False, cut_by(lengths, resets, steps, batch), in_place=call.cell.program is None)
    weights, by_unit, by_step, by_sequence = call.cell.parts(arguments.given, call.directions)
    given = *weights, *by_unit, *map(padded.beside, by_step), *map(padded.of_pieces, by_sequence)
    states, at_resets = ([h, *apart(c, count - 1)] for h, c in (arguments[4:6], arguments[6:8]))
    pairs = [*zip(states, at_resets, strict=True)]
    h_0, *others = (padded.begin(*pair) for pair in pairs)
    rows, batch_sizes, places = padded.rows()
    c_0 = [*together(others), None][0]
    output, h_n, *further = _differentiable(
        call._replace(batch_sizes=batch_sizes, places=places), [rows, h_0, c_0, *given], every
    )
    states = [h_n, *apart(further[0] if further else None, count - 1)]
    h_n, *c_n = (padded.end(x, *pair) for x, pair in zip(states, pairs, strict=True))
    of_steps = apart(further[1], count - 1) if every else []
    return [padded.back(output), h_n, *together(c_n), *together([*map(padded.back, of_steps)])]


def _shapes(arguments: Arguments, keeps: bool) -> tuple[Tensor, ...]:
    """The results without their numbers."""
    input, (cell, directions, units, batch_sizes, _) = arguments.input, arguments.call
    rows, nothing = input.shape[:-1], (0,)
    if arguments.h_0 is not None:
        batch: Any = arguments.h_0.shape[1]
    else:
        batch = rows[1] if batch_sizes is None else torch.library.get_ctx().new_dynamic_size()
    output, state, further = (*rows, directions * units), (directions, batch, units), cell.states - 1
    several = (further,) if further > 1 else ()
    keeps = keeps and arguments.is_whole and is_for_the_engine(input)
    shapes = (
        output,
        state,
        (*several, *state) if further else nothing,
        (*several, *output) if further and arguments.every else nothing,
        (directions, prod(rows), cell.kept * units) if keeps and cell.kept else nothing,
    )
    return tuple(map(input.new_empty, shapes))


def _gradients(backward: Backward) -> Sequence[Tensor | None] | None:
    """The engine's; None where autograd has to find them."""
    arguments, needed, kept = backward.arguments, Arguments.of_tensors(backward.needed), backward.kept
    call, tensors = arguments.call, arguments.tensors
    d_results = backward.d_results
    if call.cell.states == 1:
        d_results = *d_results[:2], None, None  # of empty tensors
    if (
        not arguments.is_whole
        or (d_results[3] is not None and call.cell.with_every(call.hidden_size) is None)
        or not _is_the_engines([*tensors, backward.output, kept, *d_results])
    ):
        return None
    weights, inputs = _calls.split(call, arguments.given)
    if call.cell.kept and not kept.numel():
        _, kept = _calls.forward(call, *tensors[:3], weights, True, *inputs)
    each = len(weights) // call.directions
    matrices = [weight for first in range(0, len(weights), each) for weight in weights[first : first + 2]]
    kept = kept if call.cell.kept else None
    found = _calls.backward(
        call, *tensors[:3], matrices, backward.output, kept, d_results, needed, *inputs, deltas=backward.deltas
    )
    return [*Arguments.of_flat(found[: len(needed)]), *found[len(needed) :]]


def _is_the_engines(tensors: Sequence[Any]) -> bool:
    """Whether it takes these, the first of which is an input."""
    return is_for_the_engine(tensors[0]) and are_plain([*tensors]) and nothing_intercepts()


register(_results, _shapes, _gradients)
