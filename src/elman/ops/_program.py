"""One recurrent layer of a cell that is a program, all its directions, with its gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from elman import _engine, reference
from elman._gate import are_plain, nothing_intercepts
from elman.cells._engine import compiled
from elman.cells._evaluation import evaluate
from elman.cells._program import Node, Program

__all__ = ["Operands", "program_layer"]

_FORWARD = {torch.float32: _engine.forward_float32, torch.float64: _engine.forward_float64}
_BACKWARD = {torch.float32: _engine.backward_float32, torch.float64: _engine.backward_float64}
_NO_CELL = _engine.Cell.identity  # not read where there is a program


@dataclass
class Operands:
    """What a layer runs on, or the gradients of that.

    Args:
        input: ``(steps, batch, input_size)``, or packed ``(rows, input_size)``.
        states: of the program, ``(directions, batch, hidden_size)`` each; None counts as zeros.
        weights: for each direction ``weight_ih``, ``weight_hh`` or None of a cell that feeds nothing back, and
            ``bias_ih`` and ``bias_hh`` or None.
        unit: for each direction what is given for each unit, ``(hidden_size)`` each.
        sequence: for each direction what is given for each sequence, ``(batch, hidden_size)`` each.
        step: for each direction what is given for each step, as the input lies, ``hidden_size`` features each.
    """

    input: Any
    states: list[Any]
    weights: list[list[Any]]
    unit: list[list[Any]]
    sequence: list[list[Any]]
    step: list[list[Any]]

    def all(self) -> list[Any]:
        """In one fixed order."""
        groups = chain(self.weights, self.unit, self.sequence, self.step)
        return [self.input, *self.states, *chain.from_iterable(groups)]

    def filled(self, values: Sequence[Any]) -> Operands:
        """The same with others in their places."""
        remaining = iter(values)
        first, states = next(remaining), [next(remaining) for _ in self.states]
        groups = ([[next(remaining) for _ in each] for each in group] for group in self._groups())
        return Operands(first, states, *groups)

    def _groups(self) -> list[list[list[Any]]]:
        return [self.weights, self.unit, self.sequence, self.step]


@dataclass(frozen=True)
class _Call:
    program: Program
    units: int
    batch_sizes: Tensor | None
    shape: Operands  # of which the tensors are not looked at


def program_layer(
    program: Program, units: int, batch_sizes: Tensor | None, operands: Operands
) -> tuple[list[Tensor], list[Tensor]]:
    """One layer of a recurrent network whose cell is a program, in one or two directions.

    Args:
        program: the cell's.
        units: hidden ones.
        batch_sizes: for packed input the rows of each step, ``(steps)``, int64, never growing.
        operands: what it runs on; the sizes are the caller's to check.

    Returns:
        The states after every step, each shaped as the input with ``directions * units`` features, and the last ones,
        ``(directions, batch, units)`` each.
    """
    tensors, count = operands.all(), len(program.states)
    batch_sizes = None if batch_sizes is None else batch_sizes.clone()  # what is checked stays as it was
    call = _Call(program, units, batch_sizes, operands)
    dtype = operands.input.dtype
    if dtype not in _FORWARD or not are_plain(tensors) or not nothing_intercepts():
        results = _composed(call, tensors)
    else:
        results = _Layer.apply(call, *tensors)  # type: ignore[no-untyped-call]
    return [*results[:count]], [*results[count:]]


class _Layer(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, call: _Call, *tensors: Tensor | None) -> tuple[Tensor, ...]:
        every, last, kept = _run(call, call.shape.filled(tensors))
        ctx.save_for_backward(*tensors, every[0], kept)
        ctx.call = call
        ctx.set_materialize_grads(False)
        return *every, *last

    @staticmethod
    def backward(ctx: Any, *d_results: Tensor | None) -> tuple[Tensor | None, ...]:
        *tensors, output, kept = ctx.saved_tensors
        call, needed = ctx.call, ctx.needs_input_grad[1:]
        if all(d is None for d in d_results):
            return None, *[None] * len(needed)
        count = len(call.program.states)
        # what comes to other states than the output on the way has no place in the engine
        in_engine = not torch.is_grad_enabled() and nothing_intercepts() and all(d is None for d in d_results[1:count])
        if in_engine and are_plain([*tensors, output, kept, *d_results]):
            d_output, d_last = d_results[0], d_results[count:]
            gradients = _run_back(call, call.shape.filled(tensors), output, kept, d_output, d_last, needed)
            return None, *(gradient if need else None for gradient, need in zip(gradients.all(), needed, strict=True))
        return None, *_differentiated(call, tensors, d_results, needed)


def _run(call: _Call, given: Operands) -> tuple[list[Tensor], list[Tensor], Tensor]:
    """The states after every step, the last ones, and what the backward pass needs besides, by the engine."""
    way = _Way(call, given)
    x, states, of_kept = way.held.input, len(call.program.states), way.of_kept
    output = x.new_empty(*x.shape[:-1], way.directions * call.units)
    last = x.new_empty(way.directions, states, way.batch, call.units)
    kept = x.new_empty(way.directions, way.rows, of_kept * call.units)
    for direction in range(way.directions):
        _FORWARD[x.dtype](
            **way.arguments(direction),
            input_bias=_address(way.held.weights[direction][2]),
            recurrent_bias=_address(way.held.weights[direction][3]),
            **_rows("output", output, direction * call.units),
            final_state=_address(last[direction][0]),
            final_cell_state=_address(last[direction][1:]),
            kept=_address(kept[direction]),
        )
    shape = *x.shape[:-1], way.directions, call.units
    columns = kept.view(way.directions, way.rows, of_kept, call.units).permute(2, 1, 0, 3)
    others = [columns[of_kept - states + state].reshape(shape).flatten(-2) for state in range(1, states)]
    return [output, *others], [*last.unbind(1)], kept


def _run_back(
    call: _Call,
    given: Operands,
    output: Tensor,
    kept: Tensor,
    d_output: Tensor | None,
    d_last: Sequence[Tensor | None],
    needed: Sequence[bool],
) -> Operands:
    """The gradients of what is given, by the engine; None for what is not needed, or not given."""
    way, wanted = _Way(call, given), call.shape.filled(needed)
    x = way.held.input

    def room(like: Tensor | None, is_wanted: bool) -> Tensor | None:
        return x.new_empty(like.shape) if is_wanted and like is not None else None

    def rooms(of: list[list[Any]], are_wanted: list[list[Any]]) -> list[list[Any]]:
        pairs = zip(of, are_wanted, strict=True)
        return [[*map(room, of_direction, wanted_of)] for of_direction, wanted_of in pairs]

    d = Operands(
        room(x, wanted.input),
        [None] * len(given.states),
        rooms(given.weights, wanted.weights),
        rooms(given.unit, wanted.unit),
        rooms(given.sequence, wanted.sequence),
        rooms(given.step, wanted.step),
    )
    d_states = x.new_empty(way.directions, len(given.states), way.batch, call.units)
    d_after = _together(d_last, d_states.shape, x)
    for direction in range(way.directions):
        d_ih, d_hh, d_bias_ih, d_bias_hh = d.weights[direction]
        is_one_bias = not call.program.apart  # then the engine has one gradient for both
        if is_one_bias and d_bias_ih is None:
            d_bias_ih = d_bias_hh
        _BACKWARD[x.dtype](
            **way.arguments(direction),
            **_rows("output", output, direction * call.units),
            **_rows("d_output", d_output, direction * call.units, feature=True),
            d_final_state=_address(d_after[direction][0]),
            d_final_cell_state=_address(d_after[direction][1:]),
            **_rows("d_input", d.input),
            add_to_d_input=direction == 1,
            d_initial_state=_address(d_states[direction][0]),
            d_initial_cell_state=_address(d_states[direction][1:]),
            d_input_weights=_address(d_ih),
            d_recurrent_weights=_address(d_hh),
            d_bias=_address(d_bias_ih),
            d_recurrent_bias=0 if is_one_bias else _address(d_bias_hh),
            kept=_address(kept[direction]),
            d_unit_inputs=[*map(_address, d.unit[direction])],
            d_row_inputs=[*map(_address, d.sequence[direction])],
            d_step_inputs=[(_address(x), *_step_and_row(x)) for x in d.step[direction]],
        )
        if is_one_bias and d_bias_hh is not None and d_bias_hh is not d_bias_ih:
            d_bias_hh.copy_(d_bias_ih)
    d.states = [*d_states.unbind(1)]
    return d


class _Way:
    """What both ways through a layer hand to the engine. It holds the tensors: no other thread frees their memory."""

    def __init__(self, call: _Call, given: Operands) -> None:
        self.program = compiled(call.program, call.units)
        self.of_kept = self.program.kept + len(given.states) - 1
        x, sizes = given.input.detach(), call.batch_sizes
        self.directions, self.rows = len(given.weights), x.shape[:-1].numel()
        self.batch = x.shape[1] if sizes is None else int(sizes[0])
        if sizes is not None and int(sizes.sum()) != self.rows:
            raise ValueError(
                f"batch_sizes: expected a sum of {self.rows}, as many as input has rows, got {sizes.sum()}"
            )
        shape = self.directions, len(given.states), self.batch, call.units

        def held(groups: list[list[Any]]) -> list[list[Any]]:
            return [[None if x is None else x.detach().contiguous() for x in of_direction] for of_direction in groups]

        self.held = Operands(x, [], held(given.weights), held(given.unit), held(given.sequence), held(given.step))
        self._states = _together(given.states, shape, x)
        self._call = call

    def arguments(self, direction: int) -> dict[str, Any]:
        call, held = self._call, self.held
        x, sizes = held.input, call.batch_sizes
        return {
            "cell": _NO_CELL,
            "threads": torch.get_num_threads(),
            "steps": x.shape[0] if sizes is None else len(sizes),
            "batch": self.batch,
            "batch_sizes": _address(sizes),
            "reverse": direction == 1,
            "input_size": x.shape[-1],
            "hidden_size": call.units,
            "input_weights": _address(held.weights[direction][0]),
            "recurrent_weights": _address(held.weights[direction][1]),
            **_rows("input", x, feature=True),
            "initial_state": _address(self._states[direction][0]),
            "initial_cell_state": _address(self._states[direction][1:]),
            "program": self.program,
            "cell_states_apart": self.batch * call.units,
            "unit_inputs": [*map(_address, held.unit[direction])],
            "row_inputs": [*map(_address, held.sequence[direction])],
            "step_inputs": [(_address(x), *_step_and_row(x)) for x in held.step[direction]],
        }


def _together(states: Sequence[Tensor | None], shape: tuple[int, ...], like: Tensor) -> Tensor:
    """States ``(directions, batch, units)`` of one layer as one tensor ``(directions, states, batch, units)``."""
    zeros = like.new_zeros(shape[0], *shape[2:])
    return torch.stack([zeros if state is None else state.detach() for state in states], 1)


def _address(x: Tensor | None) -> int:
    return 0 if x is None or not x.numel() else x.data_ptr()


def _rows(name: str, x: Tensor | None, first: int = 0, *, feature: bool = False) -> dict[str, int]:
    """Where rows of features lie, from a feature on: address and strides."""
    step, row = _step_and_row(x)
    address = _address(x)
    if x is not None and address:
        address += first * x.stride(-1) * x.element_size()
    return {name: address, f"{name}_step": step, f"{name}_row": row} | (
        {f"{name}_feature": 1 if x is None else x.stride(-1)} if feature else {}
    )


def _step_and_row(x: Tensor | None) -> tuple[int, int]:
    if x is None:
        return 0, 0
    return (x.stride(0) if x.dim() == 3 else 0), x.stride(-2)


def _composed(call: _Call, tensors: Sequence[Tensor | None]) -> list[Tensor]:
    """The same by PyTorch's operations."""
    given, program = call.shape.filled(tensors), call.program
    of_directions = []
    for direction, weights in enumerate(given.weights):
        step_inputs = [*given.step[direction], *(_by_step(x, call, given.input) for x in given.sequence[direction])]
        names = [[name for name, of in program.inputs.items() if of == kind] for kind in ("unit", "step", "sequence")]
        of_units = dict(zip(names[0], given.unit[direction], strict=True))

        def step(u: Tensor, v: Tensor, *others: Tensor, of_units: Any = of_units, names: Any = names) -> Any:
            return _step(program, u, v, others, of_units, names[1] + names[2])

        every, last = reference.unroll(
            step,
            given.input,
            call.batch_sizes,
            [None if state is None else state[direction] for state in given.states],
            *weights,
            reverse=direction == 1,
            step_inputs=step_inputs,
            units=call.units,
        )
        of_directions.append((every, last))
    every = [torch.cat(of_state, -1) for of_state in zip(*(every for every, _ in of_directions), strict=True)]
    return [*every, *(torch.stack(of_state) for of_state in zip(*(last for _, last in of_directions), strict=True))]


def _step(
    program: Program, u: Tensor, v: Tensor, others: Sequence[Tensor], of_units: dict[str, Tensor], names: Sequence[str]
) -> tuple[Tensor, ...]:
    count = len(program.gates)
    from_input, from_hidden = (dict(zip(program.gates, sums.chunk(count, -1), strict=True)) for sums in (u, v))
    given = dict(zip((*program.states, *names), others, strict=True)) | of_units

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
    call: _Call, tensors: Sequence[Tensor | None], d_results: Sequence[Tensor | None], needed: Sequence[bool]
) -> list[Tensor | None]:
    """The gradients by operations that PyTorch can differentiate again."""
    create_graph = torch.is_grad_enabled()
    with torch.enable_grad():
        # an alias each, lest a tensor that is given twice gets the gradient of both its uses twice
        aliases = [
            None if x is None else x.view_as(x) if create_graph else x.detach().requires_grad_(need)
            for x, need in zip(tensors, needed, strict=True)
        ]
        results = _composed(call, aliases)
        wanted = [(result, d) for result, d in zip(results, d_results, strict=True) if d is not None]
        gradients = torch.autograd.grad(
            [result for result, _ in wanted],
            [x for x, need in zip(aliases, needed, strict=True) if need and x is not None],
            [d for _, d in wanted],
            create_graph=create_graph,
            allow_unused=True,
        )
    remaining = iter(gradients)
    return [next(remaining) if need else None for need in needed]
