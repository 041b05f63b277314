"""One recurrent layer of a cell that is a program, all its directions, with its gradients."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Any

from torch import Tensor

from elman import _gate
from elman.cells._program import Program
from elman.ops import _operators
from elman.ops._arguments import Arguments
from elman.ops._back_ends import BACK_ENDS
from elman.ops._calls import Call, apart, composed, forward_if_admitted, together
from elman.ops._cells import equations_of, of_program
from elman.ops._layer import run

__all__ = ["Operands", "program_if_admitted", "program_layer"]


@dataclass
class Operands:
    """What a layer runs on.

    Args:
        input: ``(steps, batch, input_size)``, or packed ``(rows, input_size)``.
        states: what the program is handed, ``(directions, batch, hidden_size)`` each; None counts as zeros.
        at_resets: what they are set to, ``(directions, hidden_size)`` each, or all as the states.
        weights: for each direction ``weight_ih``, ``weight_hh`` or None of a cell that feeds nothing back, and
            ``bias_ih`` and ``bias_hh`` or None.
        unit: for each direction what is given for each unit, ``(hidden_size)`` each.
        step: for each direction what is given for each step, as the input lies, ``hidden_size`` features each.
        sequence: for each direction what is given for each sequence, ``(batch, hidden_size)`` each.
    """

    input: Any
    states: list[Any]
    at_resets: list[Any]
    weights: list[list[Any]]
    unit: list[list[Any]]
    step: list[list[Any]]
    sequence: list[list[Any]]

    def given(self) -> list[Any]:
        groups = (self.weights, self.unit, self.step, self.sequence)
        return [*chain.from_iterable(map(chain.from_iterable, groups))]


def program_if_admitted(
    program: Program,
    input: Tensor,
    h_0: Any,
    weights: list[list[Any]],
    input_size: int,
    units: int,
    of_units: list[list[Any]],
) -> tuple[Tensor, ...] | None:
    """What :func:`~elman.ops._layer.run` returns of a program that is given nothing by step or sequence.

    None where the engine may not be handed these, or the input or the state has other sizes.
    """
    cell, flat, flat_units = of_program(program, units), [*chain(*weights)], [*chain(*of_units)]
    results = forward_if_admitted(cell, input, h_0, None, flat, input_size, units, len(weights), True, flat_units)
    if results is True:
        return run(Call(cell, len(weights), units, None), input, h_0, None, *flat, *flat_units, every=False)
    return results  # type: ignore[no-any-return]


def program_layer(
    program: Program,
    units: int,
    batch_sizes: Tensor | None,
    operands: Operands,
    every: bool,
    lengths: Tensor | None = None,
    resets: Tensor | None = None,
) -> tuple[list[Tensor], list[Tensor]]:
    """One layer of a recurrent network whose cell is a program, in one or two directions.

    Args:
        program: the cell's.
        units: hidden ones.
        batch_sizes: for packed input the rows of each step, ``(steps)``, int64, contiguous, never growing.
        operands: what it runs on.
        every: whether to return all states after every step, and not the output alone.
        lengths, resets: as of :class:`~elman.ops._arguments.Arguments`; of what is traced alone.

    Returns:
        The output, with ``every`` all states after every step, each shaped as the input with ``directions * units``
        features, and the last ones, ``(directions, batch, units)`` each.
    """
    directions, further = len(operands.weights), len(program.results) - 1
    every = every and further > 0
    h_0, c_0 = operands.states[0], (together(operands.states[1:]) or [None])[0]
    given = operands.given()
    tensors = [operands.input, h_0, c_0, *given]
    if _gate.nothing_intercepts() and _gate.is_for_the_engine(operands.input) and _gate.are_plain(tensors):
        results = run(Call(of_program(program, units), directions, units, batch_sizes), *tensors, every=every)
    elif (
        not (lengths is None and resets is None)
        or _gate.is_traced(operands.input)
        or _gate.is_seen_by_operators(operands.input)
    ):
        h_reset, *others = [None] if lengths is None and resets is None else operands.at_resets
        c_reset = (together(others) or [None])[0]
        of_rows = operands.input, batch_sizes, lengths, resets, h_0, c_0
        arguments = Arguments(*of_rows, h_reset, c_reset, given, program.text, directions, every)
        results = _operators.run(Call(equations_of(program), directions, units, batch_sizes), arguments)
    else:
        call = Call(of_program(program, units), directions, units, batch_sizes)
        there = BACK_ENDS.get(operands.input.device.type)
        if there is not None and there.takes(call, tensors):
            results = there.run(call, *tensors, every=every)
        else:
            results = (*composed(call, *tensors, every=every),)
    output, h_n, *others = results
    c_n, of_steps = [*others, None, None][:2]
    states = [output, *(apart(of_steps, further) if every else [])]
    return states[: len(program.states)], [h_n, *apart(c_n, further)][: len(program.states)]
