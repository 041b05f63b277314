"""One recurrent layer of a cell that is a program, all its directions, with its gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

import torch
from torch import Tensor

from elman import _engine, reference
from elman._gate import DTYPES, are_plain, nothing_intercepts, threads
from elman.cells._engine import compiled
from elman.cells._evaluation import evaluate
from elman.cells._program import Node, Program
from elman.ops._differentiable import differentiated

__all__ = ["Operands", "program_layer"]

_forward: Any = _engine.forward
_backward: Any = _engine.backward
_KINDS = "unit", "step", "sequence"  # of inputs, as the engine takes them


@dataclass
class Operands:
    """What a layer runs on.

    Args:
        input: ``(steps, batch, input_size)``, or packed ``(rows, input_size)``.
        states: what the program is handed, ``(directions, batch, hidden_size)`` each; None counts as zeros.
        weights: for each direction ``weight_ih``, ``weight_hh`` or None of a cell that feeds nothing back, and
            ``bias_ih`` and ``bias_hh`` or None.
        unit: for each direction what is given for each unit, ``(hidden_size)`` each.
        step: for each direction what is given for each step, as the input lies, ``hidden_size`` features each.
        sequence: for each direction what is given for each sequence, ``(batch, hidden_size)`` each.
    """

    input: Any
    states: list[Any]
    weights: list[list[Any]]
    unit: list[list[Any]]
    step: list[list[Any]]
    sequence: list[list[Any]]


class _Call(NamedTuple):
    program: Program
    units: int
    directions: int
    batch_sizes: Tensor | None
    shown: int  # how many of the states are returned after every step: the first, or all
    counts: tuple[int, ...]  # of the tensors behind the states: weights and inputs by unit, step and sequence


def program_layer(
    program: Program, units: int, batch_sizes: Tensor | None, operands: Operands, every: bool
) -> tuple[list[Tensor], list[Tensor]]:
    """One layer of a recurrent network whose cell is a program, in one or two directions.

    Args:
        program: the cell's.
        units: hidden ones.
        batch_sizes: for packed input the rows of each step, ``(steps)``, int64, contiguous, never growing.
        operands: what it runs on.
        every: whether to return all states after every step, and not the output alone.

    Returns:
        The output, with ``every`` all states after every step, each shaped as the input with ``directions * units``
        features, and the last ones, ``(directions, batch, units)`` each.
    """
    # the compiler would write out all steps: it breaks the graph here instead, and the engine runs
    run = _outside_graphs if torch.compiler.is_dynamo_compiling() else _program_layer
    return run(program, units, batch_sizes, operands, every)


def _program_layer(
    program: Program, units: int, batch_sizes: Tensor | None, operands: Operands, every: bool
) -> tuple[list[Tensor], list[Tensor]]:
    x, (h, *others) = operands.input, operands.states
    if others and all(state is None for state in others):
        others = [None]
    elif len(others) > 1:  # the engine takes them together
        zeros = x.new_zeros(next(state.shape for state in others if state is not None))
        others = [torch.stack([zeros if state is None else state for state in others])]
    groups = (operands.weights, operands.unit, operands.step, operands.sequence)
    parts = [[*chain.from_iterable(group)] for group in groups]
    tensors = [x, h, *(others or [None]), *chain.from_iterable(parts)]
    sizes = None if batch_sizes is None else batch_sizes.clone()
    shown = len(program.states) if every else 1
    call = _Call(program, units, len(operands.weights), sizes, shown, tuple(map(len, parts)))
    if x.dtype in DTYPES and are_plain(tensors) and nothing_intercepts():
        if torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in tensors):
            results = _apply(call, *tensors)
        else:
            results, _ = _run(call, tensors[:3], parts, False)
    else:
        results = _composed(call, tensors)
    return [*results[:shown]], [*results[shown:][: len(program.states)]]


_disable: Any = getattr(torch, "_disable_dynamo", lambda function: function)  # PyTorch's own, which may be renamed
_outside_graphs: Any = _disable(_program_layer)


def _parts(call: _Call, tensors: Sequence[Any]) -> list[list[Any]]:
    """The tensors behind the states: weights and inputs by unit, step and sequence, each by direction."""
    parts, at = [], 3
    for count in call.counts:
        parts.append([*tensors[at : at + count]])
        at += count
    return parts


def _run(call: _Call, given: Sequence[Any], parts: Sequence[list[Any]], keeps: bool) -> tuple[tuple[Tensor, ...], Any]:
    """The states after every step and the last ones, by the engine, and what it keeps."""
    program, units, directions, batch_sizes, shown, _ = call
    weights, *inputs = parts
    of_call = compiled(program, units), threads(), directions
    results, kept = _forward(*of_call, *given, batch_sizes, weights, units, keeps or shown > 1, *inputs)
    if len(program.results) > 2:
        results = *results[:2], *results[2].unbind()
    if shown > 1:
        results = results[0], *_further(kept, results[0], call)[: shown - 1], *results[1:]
    return results, kept


class _Layer(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, call: _Call, *tensors: Tensor | None) -> tuple[Tensor, ...]:
        results, kept = _run(call, tensors[:3], _parts(call, tensors), True)
        ctx.save_for_backward(*tensors, results[0], kept)
        ctx.call = call
        ctx.set_materialize_grads(False)
        return results

    @staticmethod
    def backward(ctx: Any, *d_results: Tensor | None) -> tuple[Tensor | None, ...]:
        *tensors, output, kept = ctx.saved_tensors
        call, needed = ctx.call, ctx.needs_input_grad[1:]
        count = call.shown
        d_output, d_h_n, d_others = d_results[0], d_results[count], d_results[count + 1 :]
        # what comes to other states than the output on the way has no place in the engine
        in_engine = not torch.is_grad_enabled() and nothing_intercepts() and all(d is None for d in d_results[1:count])
        if not in_engine or not are_plain([*tensors, output, kept, *d_results]):
            return None, *_differentiated(call, tensors, d_results, needed)
        weights, *inputs = _parts(call, tensors)
        return None, *_backward(
            compiled(call.program, call.units),
            threads(),
            call.directions,
            *tensors[:3],
            call.batch_sizes,
            [matrix for first in range(0, len(weights), 4) for matrix in weights[first : first + 2]],
            call.units,
            output,
            kept,
            d_output,
            d_h_n,
            _together(d_others),
            needed,
            *inputs,
        )


# What PyTorch's own apply does first is look for transforms: the gate has seen to it that there are none.
_apply: Any = getattr(super(torch.autograd.Function, _Layer), "apply", _Layer.apply)


def _together(states: Sequence[Tensor | None]) -> Tensor | None:
    """As the engine takes the states but the first."""
    given = [state for state in states if state is not None]
    if not given or len(states) == 1:
        return given[0] if given else None
    return torch.stack([torch.zeros_like(given[0]) if state is None else state for state in states])


def _further(kept: Any, output: Tensor, call: _Call) -> list[Tensor]:
    """The states but the first after every step: what is kept of a row last."""
    width = (len(call.program.results) - 1) * call.units
    columns = kept[..., kept.shape[-1] - width :].split(call.units, -1)  # (directions, rows, units) each
    return [of_state.transpose(0, 1).reshape(output.shape) for of_state in columns]


def _composed(call: _Call, tensors: Sequence[Any]) -> list[Tensor]:
    """The same by PyTorch's operations."""
    program, (x, h, others) = call.program, tensors[:3]
    count = len(program.results)
    further = [others] if count < 3 else [None] * (count - 1) if others is None else [*others.unbind()]
    states = [h, *further][:count]
    of_unit, *others_of = map(program.inputs_by, _KINDS)
    of_directions = []
    for direction in range(call.directions):
        weights, of_units, of_steps, of_sequences = (
            part[len(part) // call.directions * direction :][: len(part) // call.directions]
            for part in _parts(call, tensors)
        )
        step = partial(_step, program, dict(zip(of_unit, of_units, strict=True)), [*chain.from_iterable(others_of)])
        every, last = reference.unroll(
            step,
            x,
            call.batch_sizes,
            [None if state is None else state[direction] for state in states],
            *weights,
            reverse=direction == 1,
            units=call.units,
            fed_back=program.fed_back,
            step_inputs=[*of_steps, *(_by_step(given, call, x) for given in of_sequences)],
        )
        of_directions.append((every, last))
    of_every, of_last = ([*zip(*parts, strict=True)] for parts in zip(*of_directions, strict=True))
    shown = (torch.cat(of_state, -1) for of_state in of_every[: call.shown])
    return [*shown, *(torch.stack(of_state) for of_state in of_last)]


def _step(
    program: Program, of_units: dict[str, Tensor], names: Sequence[str], u: Tensor, v: Tensor, *others: Tensor
) -> tuple[Tensor, ...]:
    from_input, from_hidden = (
        dict(zip(program.gates, sums.chunk(len(program.gates), -1), strict=True)) for sums in (u, v)
    )
    given = dict(zip((*program.carried, *names), others, strict=True)) | of_units

    def leaf(node: Node) -> Tensor:
        if node.operation == "gate":
            return from_input[node.name] + from_hidden[node.name]
        if node.operation == "gate_input":
            return from_input[node.name]
        return from_hidden[node.name] if node.operation == "gate_recurrent" else given[node.name]

    like = others[0]
    values = evaluate(program.nodes, leaf, like)
    return tuple(values[place].expand_as(like) for place in program.results)


def _by_step(of_sequences: Tensor, call: _Call, input: Tensor) -> Tensor:
    """What is given for each sequence, for each of its steps."""
    if call.batch_sizes is None:
        return of_sequences.expand(input.shape[0], *of_sequences.shape)
    return torch.cat([of_sequences[:rows] for rows in call.batch_sizes.tolist()])


def _differentiated(
    call: _Call, tensors: Sequence[Any], d_results: Sequence[Tensor | None], needed: Sequence[bool]
) -> list[Tensor | None]:
    """The gradients by operations that PyTorch can differentiate again."""
    goes_on = torch.is_grad_enabled()

    def aliases() -> list[Any]:
        return [
            x if x is None else x.view_as(x) if goes_on else x.detach().requires_grad_(need)
            for x, need in zip(tensors, needed, strict=True)
        ]

    return differentiated(lambda *given: _composed(call, given), aliases, d_results, needed)
