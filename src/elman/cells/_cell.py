"""``Cell``: what a user writes, and the program that becomes of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from numbers import Real
from types import MappingProxyType
from typing import Any

import numpy as np

from elman._errors import InputError, shown
from elman.cells._engine import compiled
from elman.cells._program import MOST_NODES, Program
from elman.cells._values import Gate, Recording, Value

__all__ = ["Cell", "Learned", "learned"]


@dataclass(frozen=True)
class Learned:
    """See :func:`learned`."""

    initial: Any

    def __repr__(self) -> str:
        return f"learned({shown(self.initial)})"


def learned(initial: Any) -> Learned:
    """A parameter of a cell that is learned, one for each hidden unit.

    Args:
        initial: what it is at first: a number for all units, or a value for each.
    """
    return Learned(initial)


class Cell:
    """A recurrent cell by its pointwise mathematics, written once in Python.

    A subclass names its gates and has a ``step``, whose arguments are found by their names: gates, states, and what
    else it is given. ``step`` returns the states after the step, in their order. It is called once, with symbols
    (:class:`~elman.cells.Value`): arithmetic, comparisons and the functions of ``elman.cells`` on them are recorded.

    Attributes:
        gates: names. Each is ``W_ih x + b_ih + W_hh h + b_hh`` with rows of its own in the weights; its ``.input`` and
            ``.recurrent`` are the two parts, each with its bias. Gates whose parts are used come last in the weights.
        states: names, ``("h",)`` unless said otherwise. The first is the output.
        fed_back: the name of the state that is fed back through ``W_hh``: the output unless said otherwise.
        step_inputs: names of what is given for each step, sequence and unit, such as noise.
        sequence_inputs: names of what is given for each sequence and unit, such as a dropout mask.

    Args:
        parameters: by name what ``step`` takes besides: a number, a value for each hidden unit, or :func:`learned`.

    Raises:
        CellError: ``step`` cannot be recorded; the message names the line.
        InputError: arguments that ``step`` does not have, or lacks.

    Example:
        >>> from elman.cells import Cell, tanh
        >>> class Leaky(Cell):
        ...     gates = ("a",)
        ...     def step(self, a, h, leak):
        ...         return (1 - leak) * h + leak * tanh(a)
        >>> Leaky(leak=0.2).program.gates
        ('a',)
    """

    gates: tuple[str, ...] = ("a",)
    states: tuple[str, ...] = ("h",)
    fed_back: str = ""
    step_inputs: tuple[str, ...] = ()
    sequence_inputs: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = MappingProxyType({})  # of a subclass that does not call this __init__

    step: Any

    def __init__(self, **parameters: Any) -> None:
        self.parameters = parameters
        for name, value in parameters.items():
            initial = value.initial if isinstance(value, Learned) else value
            if not _are_numbers(initial):
                raise InputError(f"{name}: expected a number, values or learned(…), got {shown(value)}")
            if getattr(initial, "requires_grad", False):
                raise InputError(f"{name}: expected learned(…) around what is learned, got a tensor with a gradient")
        _ = self.program.text

    def __repr__(self) -> str:
        said: dict[str, Any] = {}
        for name, argument in inspect.signature(type(self)).parameters.items():
            given = self.parameters.get(name, getattr(self, name, argument.default))
            if argument.kind is argument.VAR_KEYWORD:
                said |= given if isinstance(given, Mapping) else {}
            elif name in self.parameters or shown(given) != shown(argument.default):
                said[name] = given
        words = (f"{name}={value if isinstance(value, Cell) else shown(value)}" for name, value in said.items())
        return f"{type(self).__name__}({', '.join(words)})"

    def __getstate__(self) -> dict[str, Any]:
        # pickled by class: the program is what its step says then
        return {name: value for name, value in self.__dict__.items() if name != "program"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        _ = self.program.text  # now: whoever compiles a layer's call can record no step

    def draw(self, name: str, empty: Any, training: bool) -> Any:
        """What an input is that nobody gives: None, unless a subclass draws it; ``empty``, filled, or a number.

        Args:
            name: of ``step_inputs`` or ``sequence_inputs``.
            empty: a tensor to fill, ``(steps, batch, hidden_size)``, packed ``(rows, hidden_size)``, or of a sequence
                input ``(batch, hidden_size)``.
            training: whether the network is being trained.
        """
        return None

    def _drawn(self, name: str, empty: Any, training: bool) -> Any:
        """What ``draw`` gives, a number for all of it too."""
        values = self.draw(name, empty, training)
        if isinstance(values, Real):
            return empty.fill_(float(values))
        shape, dtype = getattr(values, "shape", None), getattr(values, "dtype", None)
        if values is not None and (shape != empty.shape or dtype != empty.dtype):
            got = type(values).__name__ if shape is None else f"{tuple(shape)} of {dtype}"
            title = f"{type(self).__name__}.draw"
            raise InputError(f"{name}: expected {tuple(empty.shape)} of {empty.dtype} from {title}, got {got}")
        return values

    @cached_property
    def program(self) -> Program:
        """What ``step`` does, as data."""
        recording, title = Recording(), f"{type(self).__name__}.step"
        after = self._after(recording)
        fed_back = self._fed_back_index()
        fed = self._feed(after[fed_back], partial(self._argument, recording))
        if fed is not after[fed_back]:
            after, fed_back = (*after, fed), len(after)
        nodes, results = recording.reached_from(after)
        if len(nodes) > MOST_NODES:
            raise InputError(f"{title}: expected at most {MOST_NODES} operations, got {len(nodes)}")
        taken = {node.name for node in nodes if node.operation in ("gate_input", "gate_recurrent")}
        names = (*self.step_inputs, *self.sequence_inputs, *self.parameters)
        program = Program(
            gates=(*(g for g in self.gates if g not in taken), *(g for g in self.gates if g in taken)),
            states=tuple(self.states),
            inputs={name: self._kind(name) for name in names if self._kind(name)},
            nodes=nodes,
            results=results,
            fed_back=fed_back,
        )
        try:
            compiled(program, 1)
        except ValueError as error:  # of too many gates, say
            raise InputError(f"{title}: {error}") from None
        return program

    def _after(self, recording: Recording) -> tuple[Value, ...]:
        """The states after a step."""
        if not hasattr(type(self), "step"):
            raise InputError(f"{type(self).__name__}: expected a step, as in def step(self, a, h)")
        after = self.step(**{name: self._argument(recording, name) for name in self._argument_names()})
        after = (*after,) if isinstance(after, tuple | list) else (after,)
        others = [value for value in after if not recording.holds(value)]
        if others or len(after) != len(self.states):
            expected = f"{_counted(self.states)} ({', '.join(self.states)})"
            got = _said(others[0]) if others else _counted(after)
            raise InputError(f"{type(self).__name__}.step: expected to return {expected}, got {got}")
        return after

    def _fed_back_index(self) -> int:
        if self.fed_back and self.fed_back not in self.states:
            expected = f"expected one of {', '.join(self.states)}"
            raise InputError(f"{type(self).__name__}.fed_back: {expected}, got {shown(self.fed_back)}")
        return [*self.states].index(self.fed_back) if self.fed_back else 0

    def _feed(self, state: Any, argument: Callable[[str], Any]) -> Any:
        """What ``W_hh`` multiplies, of the state that is fed back and what the cell is given: symbols, or tensors."""
        return state

    def _argument_names(self) -> list[str]:
        title = type(self).__name__
        for kind in ("gates", "states", "step_inputs", "sequence_inputs"):
            given = getattr(self, kind)
            if not isinstance(given, tuple | list) or not all(isinstance(x, str) and x.isidentifier() for x in given):
                expected = f'a tuple of names, as in {kind} = ("a",)'
                raise InputError(f"{title}.{kind}: expected {expected}, got {shown(given)}")
        if not self.states:
            raise InputError(f"{title}.states: expected one or more, got none")
        known = [*self.gates, *self.states, *self.step_inputs, *self.sequence_inputs, *self.parameters]
        taken = inspect.signature(self.step).parameters
        for argument in taken.values():
            if argument.kind not in (argument.POSITIONAL_OR_KEYWORD, argument.KEYWORD_ONLY):
                raise InputError(f"{title}.step: expected arguments with names, as in step(self, a, h), got {argument}")
        names = [name for name, argument in taken.items() if name in known or argument.default is argument.empty]
        if len({*known}) != len(known):
            raise InputError(f"{title}: expected names that are given once, got {', '.join(known)}")
        for name in names:
            if name not in known:
                raise InputError(f"{title}.step: {name} is no gate, state or input; give it as {title}({name}=…)")
        unused = [name for name in known if name not in names and name not in self.states]
        if unused:
            raise InputError(f"{title}.step: expected to take {', '.join(unused)}, got {', '.join(names)}")
        return names

    def _argument(self, recording: Recording, name: str) -> Any:
        if name in self.gates:
            return Gate(recording, name)
        if name in self.states:
            return recording.add("state", name=name)
        kind = self._kind(name)
        return recording.add(kind, name=name) if kind else float(self.parameters[name])

    def _kind(self, name: str) -> str:
        """Of an input; of gates, states and numbers none."""
        if name in self.step_inputs:
            return "step"
        if name in self.sequence_inputs:
            return "sequence"
        if name in self.parameters and not isinstance(self.parameters[name], Real):
            return "unit"
        return ""


def _are_numbers(values: Any) -> bool:
    if hasattr(values, "is_complex"):  # a tensor
        return not values.is_complex()
    try:
        array = np.asarray(values)
    except ValueError:  # lists of several lengths
        return False
    return array.dtype.kind in "iuf" or (array.dtype.kind == "b" and array.ndim > 0)


def _counted(values: Sequence[Any]) -> str:
    return "a value" if len(values) == 1 else f"{len(values)} values"


def _said(value: Any) -> str:
    """What a step has returned in the place of a value."""
    return "a comparison" if isinstance(value, Value) else shown(value)
