"""The engine's two calls for a recurrent layer, over tensors, and the same by PyTorch's operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from elman import _engine, reference
from elman._gate import threads
from elman.ops._cells import EngineCell
from elman.ops._flops import profiler, tell_products
from elman.ops._rows import index_of, put, take

__all__ = [
    "Call",
    "apart",
    "backward",
    "composed",
    "every_further",
    "forward",
    "forward_if_admitted",
    "forward_kept",
    "one_step",
    "split",
    "tell_forward",
    "together",
]

_forward: Any = _engine.forward
_forward_if_admitted: Any = _engine.forward_if_admitted
_forward_kept: Any = _engine.forward_kept
_backward: Any = _engine.backward


class Call(NamedTuple):
    """What a call of one layer is besides its tensors.

    These are, always in this order: the input; ``h_0`` and ``c_0``, of a cell with more than two states all but the
    first behind one another ``(states - 1, directions, batch, hidden_size)``; and what else is given: for each
    direction ``weight_ih, weight_hh`` and, with biases, ``bias_ih, bias_hh``; of a program these four always, None for
    what there is not, and behind them what it is given by unit, by step and by sequence, each direction by direction.
    """

    cell: EngineCell
    directions: int
    hidden_size: int
    batch_sizes: Tensor | None  # of packed input the rows of each step
    places: Tensor | None = None  # where these lie in padded input: see elman.ops.layer; none of a program

    def fits(self, tensors: Sequence[Tensor | None]) -> bool:
        """Whether tensors are of the call's sizes, whoever has put them there; biases and states may be missing."""
        input, h_0, c_0, *given = tensors
        cell, directions, units, batch_sizes, _ = self
        counts = [directions * count for count in cell.inputs]
        if input is None or input.dim() != (3 if batch_sizes is None else 2) or len(given) < sum(counts):
            return False
        batch = input.shape[1] if batch_sizes is None else int(batch_sizes[0])
        if batch_sizes is not None and int(batch_sizes.sum()) != input.shape[0]:
            return False
        state, rows, further = (directions, batch, units), cell.gates * units, cell.states - 1
        weights, *inputs = cell.parts(given, directions)
        each = len(weights) // directions
        of_weights = ((rows, input.shape[-1]), (rows, units), (rows,), (rows,))[:each] * directions
        of_inputs = (units,), (*input.shape[:-1], units), (batch, units)
        expected = [
            *((h_0, state), (c_0, (*[further] * (further > 1), *state))),
            *zip(weights, of_weights, strict=False),
            *((x, shape) for kind, shape in zip(inputs, of_inputs, strict=True) for x in kind),
        ]
        needed = [weights[0::each], *inputs] + ([weights[1::each]] if cell.is_recurrent else [])
        return (
            each * directions == len(of_weights) == len(weights)
            and all(x is not None for kind in needed for x in kind)
            and all(x is None or tuple(x.shape) == shape for x, shape in expected)
        )


def split(call: Call, given: Sequence[Any]) -> tuple[list[Any], Sequence[list[Any]]]:
    """What is given besides input and states as the engine takes it: weights, and a program's inputs by their kinds."""
    if call.cell.program is None:
        return [*given], ()
    weights, *inputs = call.cell.parts(given, call.directions)
    return weights, inputs


def forward(
    call: Call, input: Tensor, h_0: Tensor | None, c_0: Tensor | None, weights: list[Any], keeps: bool, *inputs: Any
) -> tuple[tuple[Tensor, ...], Tensor | None]:
    """The output and the final states, of one step the states alone; and what the backward pass needs besides.

    The latter is None where the cell keeps nothing, and without ``keeps``. The ``inputs`` are a program's.
    """
    cell, directions, hidden_size, sizes, places = call
    results = _forward(
        cell.code, threads(), directions, input, h_0, c_0, sizes, weights, hidden_size, keeps, *(inputs or (places,))
    )
    if profiler._is_profiler_enabled:
        tell_forward(input, results[0][0], weights, directions)
    return results  # type: ignore[no-any-return]


def forward_if_admitted(
    cell: EngineCell,
    input: Tensor,
    h_0: Any,
    c_0: Any,
    weights: list[Any],
    input_size: Any,
    hidden_size: Any,
    directions: int,
    bias: Any,
    of_units: list[Any],
    lengths: Any = None,
    resets: Any = None,
) -> Any:
    """What :func:`forward` returns first, of ``(steps, batch, features)``, in one call with the gate.

    None where it does not admit these, or other sizes do not fit, and of a program that is given more than
    ``of_units``; True where autograd has to know of it. With ``lengths`` or ``resets`` of a batch that is cut by them,
    and None in the place of True.
    """
    results = _forward_if_admitted(
        cell.code,
        threads(),
        input,
        h_0,
        c_0,
        weights,
        input_size,
        hidden_size,
        directions,
        bias,
        of_units,
        torch.is_grad_enabled(),
        lengths,
        resets,
    )
    if profiler._is_profiler_enabled and results and results is not True:
        tell_forward(input, results[0], weights, directions)
    return results


def forward_kept(
    call: Call, input: Tensor, h_0: Tensor | None, c_0: Tensor | None, given: tuple[Any, ...]
) -> tuple[tuple[Tensor, ...], Tensor | None, list[Any], list[Tensor], list[Any], list[Any], list[Any]]:
    """What :func:`forward` returns of aliases, what :func:`elman.ops._kept.keep` does of all but the biases, and the
    biases and their numbers."""
    cell, directions, hidden_size, sizes, places = call
    results = _forward_kept(cell.code, threads(), directions, input, h_0, c_0, sizes, places, given, hidden_size)
    if profiler._is_profiler_enabled:
        tell_forward(input, results[0][0], split(call, given)[0], directions)
    return results  # type: ignore[no-any-return]


def tell_forward(input: Tensor, output: Tensor, weights: Sequence[Any], directions: int) -> None:
    """Tell a running profiler of the products of a layer."""
    each = len(weights) // directions
    tell_products(input, weights[::each])
    tell_products(output, weights[1::each])


def backward(
    call: Call,
    input: Tensor,
    h_0: Tensor | None,
    c_0: Tensor | None,
    matrices: list[Any],
    output: Tensor | None,
    kept: Tensor | None,
    d_results: Sequence[Tensor | None],
    needed: Sequence[bool],
    *inputs: Any,
    deltas: bool = False,
) -> Any:
    """The gradients that are ``needed``, of input, h_0, c_0 and what else is given; None for the others, and instead of
    all where a tensor is not plain.

    ``output`` may be None after one step of a cell that keeps what its backward pass needs. ``d_results`` are those of
    output, h_n, c_n and, where the cell has :attr:`~EngineCell.with_every`, of what :func:`every_further` returns. With
    ``deltas`` those of every row come last, ``(directions, rows, features)``: of the gates apart W_ih's, then W_hh's of
    all gates.
    """
    d_output, d_h_n, d_c_n, d_every = (*d_results, None)[:4]
    if d_every is not None:
        tensors = input, h_0, c_0, matrices, output, kept
        return _backward_with_every(call, tensors, d_results, needed, inputs, deltas)
    cell, directions, hidden_size, sizes, places = call
    of_call = cell.code, threads(), directions, input, h_0, c_0, sizes, matrices, hidden_size
    gradients = _backward(
        *of_call, output, kept, d_output, d_h_n, d_c_n, needed, *((*inputs, deltas) if inputs else (deltas, places))
    )
    if profiler._is_profiler_enabled and gradients is not None:
        tell_products(input, matrices[::2], needed[0] + needed[3])
        states = next(rows for rows in (output, d_output, d_c_n) if rows is not None)
        tell_products(states, matrices[1::2], 1 + needed[4])
    return gradients


def _backward_with_every(
    call: Call,
    tensors: tuple[Any, ...],
    d_results: Sequence[Any],
    needed: Sequence[bool],
    inputs: Sequence[list[Any]],
    deltas: bool,
) -> tuple[Tensor | None, ...]:
    """:func:`backward` where something comes back through the states but the first at every step."""
    input, h_0, c_0, matrices, output, kept = tensors
    d_output, d_h_n, d_c_n, d_every = d_results
    cell, directions, units, batch_sizes, places = call
    if batch_sizes is not None and places is not None:  # a program takes packed rows alone
        index, lies = index_of(batch_sizes, places, input.shape[1]), input.shape[:2]
        x, output, d_output, d_every = (
            None if rows is None else take(rows, index) for rows in (input, output, d_output, d_every)
        )
        tensors, d_results = (x, h_0, c_0, matrices, output, kept), (d_output, d_h_n, d_c_n, d_every)
        packed = call._replace(places=None)
        d_input, *others = _backward_with_every(packed, tensors, d_results, needed, inputs, deltas)
        return None if d_input is None else put(d_input, index, *lies), *others
    each, of_states = cell.inputs[1], apart(d_every, cell.states - 1)

    def joined(of_steps: Sequence[Any], further: Callable[[int], list[Any]]) -> list[Any]:
        return [x for i in range(directions) for x in (*of_steps[each * i : each * (i + 1)], *further(i))]

    by_unit, by_step, by_sequence = inputs or ([], [], [])
    by_step = joined(by_step, lambda i: [x[..., units * i : units * (i + 1)] for x in of_states])
    weights, of_units, of_steps, of_sequences = cell.parts(needed[3:], directions)
    of_steps = joined(of_steps, lambda _: [None] * len(of_states))  # which nobody has asked for
    asked = *needed[:3], *weights, *of_units, *of_steps, *of_sequences
    call = call._replace(cell=replace(cell, code=cell.with_every(units)))
    found = backward(call, *tensors, d_results[:3], asked, by_unit, by_step, by_sequence, deltas=deltas)
    return *(d for d, need in zip(found, asked, strict=False) if need is not None), *found[len(asked) :]


def one_step(
    run: Callable[..., Sequence[Tensor]], input: Tensor, h: Tensor | None, c: Tensor | None, *of_call: Any
) -> tuple[Tensor, ...]:
    """The states after one step, by what runs a layer."""
    h_0, c_0 = (None if x is None else x.unsqueeze(0) for x in (h, c))
    _, *states = run(input.unsqueeze(0), None, h_0, c_0, *of_call, 1)
    return tuple(state.squeeze(0) for state in states)


def every_further(call: Call, kept: Any, output: Tensor) -> Tensor:
    """The states but the first after every step, which is what is kept of a row last: each shaped as the output, behind
    one another where they are several."""
    columns = kept[..., kept.shape[-1] - (call.cell.states - 1) * call.hidden_size :].split(call.hidden_size, -1)
    every = [torch.cat([*of_state], -1) for of_state in columns]  # of (directions, rows, units)
    if call.batch_sizes is not None and call.places is not None:
        index = index_of(call.batch_sizes, call.places, output.shape[1])
        every = [put(of_state, index, *output.shape[:2]) for of_state in every]
    every = [of_state.view(output.shape) for of_state in every]
    return torch.stack(every) if len(every) > 1 else every[0]


def together(states: Sequence[Any]) -> list[Any]:
    """The states but the first as a call takes and returns them: none, the one that there is, or all in one tensor."""
    given = [state for state in states if state is not None]
    if len(states) < 2 or not given:
        return [*states[:1]]
    return [torch.stack([torch.zeros_like(given[0]) if state is None else state for state in states])]


def apart(states: Tensor | None, count: int) -> list[Any]:
    """The inverse of :func:`together`, where so many are."""
    return [states] * count if count < 2 or states is None else [*states.unbind()]


def composed(
    call: Call, input: Tensor, h_0: Tensor | None, c_0: Tensor | None, *given: Any, every: bool = False
) -> list[Tensor]:
    """What :func:`forward` returns, by PyTorch's operations, of several steps; with ``every`` also what
    :func:`every_further` does."""
    cell, directions, hidden_size, batch_sizes, places = call
    if batch_sizes is None and input.dim() == 2:  # one step
        h_0, c_0 = (None if x is None else x.unsqueeze(0) for x in (h_0, c_0))
        _, *states = composed(call, input.unsqueeze(0), h_0, c_0, *given)
        return [state.squeeze(0) for state in states]
    if batch_sizes is not None and places is not None:
        sizes, index = input.shape[:2], index_of(batch_sizes, places, input.shape[1])
        output, *others = composed(call._replace(places=None), take(input, index), h_0, c_0, *given, every=every)
        if every:
            others[-1] = put(others[-1], index, *sizes)
        return [put(output, index, *sizes), *others]
    before, parts = [h_0, *apart(c_0, cell.states - 1)], cell.parts(given, directions)
    every_state, last = [], []
    for direction in range(directions):
        weights, units, steps, sequences = (
            part[len(part) // directions * direction :][: len(part) // directions] for part in parts
        )
        of_every, of_last = reference.unroll(
            cell.step(units),
            input,
            batch_sizes,
            [None if state is None else state[direction] for state in before],
            *[*weights, None, None][:4],
            reverse=direction == 1,
            units=hidden_size,
            fed_back=cell.fed_back,
            step_inputs=[*steps, *(_by_step(x, call, input) for x in sequences)],
        )
        every_state.append(of_every)
        last.append(of_last)
    output, *others = (torch.cat(of_state, -1) for of_state in zip(*every_state, strict=True))
    h_n, *c_n = (torch.stack(of_state) for of_state in zip(*last, strict=True))
    return [output, h_n, *together(c_n), *(together(others) if every else [])]


def _by_step(of_sequences: Tensor, call: Call, input: Tensor) -> Tensor:
    """What is given for each sequence, for each of its steps."""
    if call.batch_sizes is None:
        return of_sequences.expand(input.shape[0], *of_sequences.shape)
    return torch.cat([of_sequences[:rows] for rows in call.batch_sizes.tolist()])
