"""What ``torch.func.vmap`` makes of the operators' calls: one call of more rows, or a call for each member.

A rule takes what a call is given, where the members are among the dimensions of each of its tensors, and how many they
are; it returns the results, and where the members are in them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from operator import and_
from typing import Any

import torch
from torch import Tensor

from elman import _gate
from elman.ops._arguments import Arguments, Backward
from elman.ops._calls import apart as states_apart
from elman.ops._calls import every_further
from elman.ops._cells import inputs_of_text

__all__ = ["backward", "forward"]

_Dims = Sequence[int | None]
_Results = tuple[Sequence[Tensor], _Dims]
_Run = Callable[..., Sequence[Tensor]]
_MOST_BY_ROW = 8  # inputs of a program, of the engine


def forward(run: _Run, keeps: bool, arguments: Arguments, dims: _Dims, members: int) -> _Results:
    """Of ``elman::layer``."""
    if _are_members(dims, _are_shared(arguments, dims)):
        return _of_each(lambda flat: run(*arguments.having(flat), keeps), arguments.flat, dims, members)
    return _unfolded(run(*_folded(arguments, dims, members), keeps), members)


def backward(run: _Run, call: Backward, dims: _Dims, members: int) -> _Results:
    """Of ``elman::layer_backward``."""
    arguments, needed = call.arguments, call.needed
    results = *call.d_results, call.output, call.kept
    shared = _are_shared(arguments, dims[len(results) :])
    learns = any(map(and_, needed, shared))
    # what is shared has its gradients made of the deltas here, which are the engine's and have no gradients themselves
    if _are_members(dims[len(results) :], shared) or (
        learns and (not _has_deltas(call) or _gate.is_differentiated(call.flat))
    ):
        return _of_each(lambda flat: run(*call.having(flat).as_given), call.flat, dims, members)
    of_rows = [_fold(x, dim, members) for x, dim in zip(results, dims, strict=False)]
    folded = _folded(arguments, dims[len(results) :], members)
    call = call._replace(d_results=of_rows[:-2], output=of_rows[-2], kept=of_rows[-1], arguments=folded)
    return _of_all(run, call, members) if learns else _unfolded(run(*call.as_given), members)


def _are_shared(arguments: Arguments, dims: _Dims) -> list[bool]:
    """Of each tensor whether all rows share it: weights, what is given by unit, states at resets without a batch."""
    given, h_reset, dim = len(arguments.given), arguments.h_reset, dims[6]
    at_resets = h_reset is None or h_reset.dim() - (dim is not None) == 2
    of_rows = arguments.directions * sum(inputs_of_text(arguments.cell)[1:])
    return [False] * 6 + [at_resets] * 2 + [True] * (given - of_rows) + [False] * of_rows


def _are_members(dims: _Dims, shared: Sequence[bool]) -> bool:
    """Whether what a call's rows share is another for each member."""
    return any(dim is not None and is_shared for dim, is_shared in zip(dims, shared, strict=True))


def _has_deltas(call: Backward) -> bool:
    cell, _, units, *_ = call.arguments.call
    return (
        _gate.is_for_the_engine(call.arguments.input)
        and call.arguments.is_whole
        and (call.d_results[3] is None or cell.with_every(units) is not None)
        and sum(cell.inputs[::2]) <= _MOST_BY_ROW
    )


def _folded(arguments: Arguments, dims: _Dims, members: int) -> Arguments:
    """The call of the rows of all members.

    The members of a row lie side by side, so that the rows of a step stay together and the long sequences first.
    """
    batch_sizes, lengths, resets = arguments[1:4]
    if dims[1] is not None:
        raise ValueError("batch_sizes: expected the same for all members of a vmap, got some for each")
    shared = _are_shared(arguments, dims)
    flat = [
        x if is_shared else _fold(x, dim, members)
        for x, dim, is_shared in zip(arguments.flat, dims, shared, strict=True)
    ]
    flat[1] = None if batch_sizes is None else batch_sizes * members
    for place, x in ((2, lengths), (3, resets)):
        flat[place] = None if x is None else _fold(x.unsqueeze(-1), dims[place], members).squeeze(-1)
    return arguments.having(flat)


def _fold(x: Any, dim: int | None, members: int) -> Any:
    """Rows (…, rows, features) of each member as (…, rows * members, features), of packed rows too."""
    if x is None or x.dim() - (dim is not None) < 2:
        return x  # nothing, or an empty tensor in its place
    apart = x.unsqueeze(-2).expand(*x.shape[:-1], members, x.shape[-1]) if dim is None else x.movedim(dim, -2)
    return apart.flatten(-3, -2)


def _unfold(x: Tensor, members: int) -> tuple[Tensor, int | None]:
    """The inverse of :func:`_fold`: (members, …, rows, features), and where the members are.

    They come first, as in what PyTorch's own rules return: its export of a vmap knows no other place.
    """
    return (x, None) if x.dim() < 2 else (_members_apart(x, members).movedim(-2, 0), 0)


def _members_apart(x: Tensor, members: int) -> Tensor:
    apart: Tensor = x.unflatten(-2, (x.shape[-2] // members, members))
    return apart


def _unfolded(results: Sequence[Tensor], members: int) -> _Results:
    pairs = [_unfold(x, members) for x in results]
    return [x for x, _ in pairs], [dim for _, dim in pairs]


def _of_each(
    call: Callable[[Sequence[Any]], Sequence[Tensor]], tensors: Sequence[Any], dims: _Dims, members: int
) -> _Results:
    """The results of a call for each member."""
    results = [
        call([x if dim is None else x.select(dim, i) for x, dim in zip(tensors, dims, strict=True)])
        for i in range(members)
    ]
    stacked = [*map(torch.stack, zip(*results, strict=True))]
    return stacked, [0] * len(stacked)


def _of_all(run: _Run, call: Backward, members: int) -> _Results:
    """The gradients by one call of folded rows, of what is shared those of each member."""
    arguments = call.arguments
    (cell, directions, _, batch_sizes, _), given = arguments.call, arguments.given
    before, needs = call.needed[: -len(given)], call.needed[-len(given) :]
    weights, units, *_ = cell.parts(range(len(given)), directions)  # their places
    text, order = (
        _by_row(cell.program, cell.parts(range(len(given)), directions)) if units else (cell.text, [*range(len(given))])
    )
    rows = arguments.input.shape[1] if batch_sizes is None else int(batch_sizes[0])
    by_row = [given[place].expand(rows, -1) if place in units else given[place] for place in order]
    of_rows = [place for place in order if needs[place] and place not in weights]
    learns = any(needs[place] for place in weights)
    folded = call._replace(
        arguments=arguments._replace(given=by_row, cell=text),
        needed=[*before, *(place in of_rows for place in order)],
        deltas=learns,
    )
    found = iter(run(*folded.as_given))
    gradients = [_unfold(next(found), members) for need in before if need]
    of_given = {place: _unfold(next(found), members) for place in of_rows}
    for place in units:
        if place in of_given:
            of_given[place] = of_given[place][0].sum(1), 0
    if learns:
        deltas = _members_apart(next(found), members)
        of_weights = _weight_gradients(deltas, call, [needs[place] for place in weights])
        of_given |= {place: (x, 0) for place, x in zip(weights, of_weights, strict=True) if x is not None}
    gradients += [of_given[place] for place in range(len(given)) if needs[place]]
    return [x for x, _ in gradients], [dim for _, dim in gradients]


def _by_row(program: Any, parts: Sequence[Sequence[int]]) -> tuple[str, list[int]]:
    """The same program given by row what it is given by unit; and the places of its tensors, in the order there."""
    nodes = tuple(replace(node, operation="sequence") if node.operation == "unit" else node for node in program.nodes)
    inputs = {name: "sequence" if kind == "unit" else kind for name, kind in program.inputs.items()}
    weights, units, steps, rows = parts
    names, directions = (
        [*program.inputs_by("unit"), *program.inputs_by("sequence")],
        len(units) // len(program.inputs_by("unit")),
    )
    of_directions = [
        dict(zip(names, (*_part(units, i, directions), *_part(rows, i, directions)), strict=True))
        for i in range(directions)
    ]
    by_row = replace(program, nodes=nodes, inputs=inputs)
    return by_row.text, [*weights, *steps, *(places[name] for places in of_directions for name in sorted(names))]


def _weight_gradients(deltas: Tensor, folded: Backward, needed: Sequence[bool]) -> list[Tensor | None]:
    """Each member's own sums over steps and rows: dW_ih = sum d_t x_t^T, dW_hh = sum d_t h_{t-1}^T, db = sum d_t.

    Args:
        deltas: (directions, rows, members, features): of the gates apart W_ih's alone, then W_hh's of all gates.
        folded: the call that they are of.
        needed: of each weight, in its order.

    Returns:
        Those that are needed, (members, …).
    """
    call, input = folded.arguments.call, folded.arguments.input
    apart, units = call.cell.apart * call.hidden_size, call.hidden_size
    fed_back, h_0 = folded.output, folded.arguments.h_0
    if call.cell.fed_back:
        place, further, c_0 = call.cell.fed_back - 1, call.cell.states - 1, folded.arguments.c_0
        fed_back = states_apart(every_further(call, folded.kept, folded.output), further)[place]
        h_0 = states_apart(c_0, further)[place]
    gradients: list[Tensor | None] = []
    for direction, of_direction in enumerate(deltas):
        of_hh = of_direction[..., apart:]
        of_ih = torch.cat([of_hh[..., : of_hh.shape[-1] - apart], of_direction[..., :apart]], -1) if apart else of_hh
        for weight, need in enumerate(_part(needed, direction, call.directions)):
            of_weight = (of_ih, of_hh)[weight % 2]
            if not need or weight > 1:
                gradients.append(of_weight.sum(0) if need else None)
                continue
            factors = input
            if weight:
                states = fed_back[..., direction * units : (direction + 1) * units]
                first = states.new_zeros(()) if h_0 is None else h_0[direction]
                factors = _before(states, first, call.batch_sizes, direction == 1)
            factors = factors.flatten(0, -2).unflatten(0, of_weight.shape[:2])
            gradients.append(torch.einsum("rmd,rmf->mdf", of_weight, factors))
    return gradients


def _before(states: Tensor, h_0: Tensor, batch_sizes: Tensor | None, reverse: bool) -> Tensor:
    """Each row's h_{t-1}."""
    if batch_sizes is None:
        h_0 = h_0.expand(1, *states.shape[1:])
        return torch.cat([states[1:], h_0] if reverse else [h_0, states[:-1]])
    starts, nothing = batch_sizes.cumsum(0) - batch_sizes, batch_sizes.new_zeros(1)
    # of the step before, in the order of the direction
    sizes, first = (torch.cat([x[1:], nothing] if reverse else [nothing, x[:-1]]) for x in (batch_sizes, starts))
    step = torch.arange(len(batch_sizes)).repeat_interleave(batch_sizes)
    row = torch.arange(len(step)) - starts[step]
    batch = int(batch_sizes[0])
    among = torch.cat([h_0.expand(batch, states.shape[-1]), states])
    return among[torch.where(row < sizes[step], batch + first[step] + row, row)]


def _part(of_all: Sequence[Any], direction: int, directions: int) -> Sequence[Any]:
    """What there is of one direction."""
    each = len(of_all) // directions
    return of_all[direction * each : (direction + 1) * each]
