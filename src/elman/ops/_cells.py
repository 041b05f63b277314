"""The cells that the engine runs, as its calls know them: its own by their names, and programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from typing import Any

from torch import Tensor

from elman import _engine, reference
from elman._cells import FAMILIES
from elman.cells import LSTM
from elman.cells._engine import compiled
from elman.cells._evaluation import evaluate
from elman.cells._program import Node, Program

__all__ = ["BUILT_IN", "EngineCell", "equations_of", "inputs_of_text", "of_program", "of_text"]


@dataclass(frozen=True, eq=False)
class EngineCell:
    """A cell, for so many hidden units where it is a program.

    Args:
        text: what says in a graph which one it is: a name, or a program as JSON.
        code: what the engine takes for it.
        gates, states: how many; the states are all that is carried from step to step.
        apart: the gates that take their two sums apart, the last ones.
        kept: blocks of hidden_size that the engine keeps of a row for the backward pass, besides the output.
        inputs: how many a direction is given by unit, by step and by sequence; none but a program's.
        step: from what is given by unit to the step that :func:`elman.reference.unroll` takes.
        program: if it is one.
        fed_back: which of the states ``weight_hh`` multiplies.
    """

    text: str
    code: Any
    gates: int
    states: int
    apart: int
    kept: int
    inputs: tuple[int, int, int]
    step: Callable[[Sequence[Tensor]], Callable[..., tuple[Tensor, ...]]]
    program: Program | None = None
    fed_back: int = 0

    @property
    def is_recurrent(self) -> bool:
        """Whether there is a ``weight_hh``."""
        return self.program is None or self.program.is_recurrent

    def parts(self, given: Sequence[Any], directions: int) -> list[list[Any]]:
        """Of the tensors behind input and states the weights and the inputs by unit, step and sequence, each direction
        by direction."""
        counts = [directions * count for count in self.inputs]
        parts, at = [[*given[: len(given) - sum(counts)]]], len(given) - sum(counts)
        for count in counts:
            parts.append([*given[at : at + count]])
            at += count
        return parts

    def with_every(self, units: int) -> Any:
        """The engine's program whose backward pass also takes what comes back through the states but the first at every
        step, as further step inputs; None where it has no room for them."""
        program, kept = _lstm() if self.program is None else (self.program, ())
        try:
            return compiled(program, units, True, kept)
        except ValueError:
            return None


def of_text(text: str, weight_rows: int) -> EngineCell:
    """The cell of :attr:`EngineCell.text`, whose weights have so many rows."""
    if text in BUILT_IN:
        return BUILT_IN[text]
    program = _program_of(text)
    return of_program(program, int(weight_rows) // len(program.gates))


def inputs_of_text(text: str) -> tuple[int, int, int]:
    """:attr:`EngineCell.inputs`, which are the same for any hidden units."""
    return (0, 0, 0) if text in BUILT_IN else _counts(_program_of(text))


@lru_cache(maxsize=256)
def of_program(program: Program, units: int) -> EngineCell:
    """A program as a cell."""
    code = compiled(program, units)
    sizes = code.gates, code.states, code.apart, code.kept + code.states - 1
    step = partial(_step_of, program)
    return EngineCell(program.text, code, *sizes, _counts(program), step, program, program.fed_back)


def equations_of(program: Program) -> EngineCell:
    """The same for :func:`~elman.ops._calls.composed` alone: the compiler cannot look into what the engine takes."""
    sizes = len(program.gates), len(program.results), 0, 0
    return EngineCell(
        program.text, None, *sizes, _counts(program), partial(_step_of, program), program, program.fed_back
    )


def _counts(program: Program) -> tuple[int, int, int]:
    return len(program.inputs_by("unit")), len(program.inputs_by("step")), len(program.inputs_by("sequence"))


@cache
def _lstm() -> tuple[Program, tuple[int, ...]]:
    """The engine's own cell of more states than one as a program, and the places of what it keeps."""
    program = LSTM().program
    takes = {node.values: place for place, node in enumerate(program.nodes)}
    return program, tuple(takes[program.nodes.index(Node("gate", name=gate)),] for gate in program.gates)


@lru_cache(maxsize=256)
def _program_of(text: str) -> Program:
    return Program.from_data(json.loads(text))


def _step_of(program: Program, of_units: Sequence[Tensor]) -> Callable[..., tuple[Tensor, ...]]:
    of_rows = [*program.inputs_by("step"), *program.inputs_by("sequence")]
    return partial(_step, program, dict(zip(program.inputs_by("unit"), of_units, strict=True)), of_rows)


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


def _built_in(name: str, family: Any) -> EngineCell:
    sizes = len(family.gates), len(family.states), len(family.apart), family.kept
    return EngineCell(name, getattr(_engine.Cell, name), *sizes, (0, 0, 0), lambda _: reference.CELLS[name])


#: The engine's own, by their names.
BUILT_IN = {name: _built_in(name, family) for family in FAMILIES.values() for name in family.modes.values()}
