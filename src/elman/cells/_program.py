"""A cell's pointwise mathematics as data: what a file holds, what the engine runs, what is differentiated."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from numbers import Real
from typing import Any

from elman._errors import InputError, shown
from elman.cells._listing import assignments

__all__ = ["ARITIES", "LEAVES", "MOST_NODES", "Node", "Program"]

#: How many values each operation takes.
ARITIES = {
    "add": 2,
    "subtract": 2,
    "multiply": 2,
    "divide": 2,
    "fma": 3,
    "negate": 1,
    "abs": 1,
    "minimum": 2,
    "maximum": 2,
    "less": 2,
    "less_equal": 2,
    "equal": 2,
    "select": 3,
    "exp": 1,
    "log": 1,
    "sqrt": 1,
    "tanh": 1,
    "sigma": 1,
    "softplus": 1,
    "relu": 1,
    "sum_units": 1,
}

#: What a program begins with, and whether the leaf has a name: a gate's sum, or its two parts; a state before the step;
#: what is given for each unit, sequence or step; a number; how many units there are.
LEAVES = {
    "gate": True,
    "gate_input": True,
    "gate_recurrent": True,
    "state": True,
    "unit": True,
    "sequence": True,
    "step": True,
    "number": False,
    "units": False,
}

MASKS = frozenset({"less", "less_equal", "equal"})
MOST_NODES = 256
_MOST_SHOWN = 300  # characters
_FED_BACK = "fed back"  # no state's name
_OF_LAYERS = frozenset({"self", "input", "hx", "lengths", "resets", "return_states"}) | frozenset(
    {"weight_ih", "weight_hh", "bias_ih", "bias_hh"}
)


@dataclass(frozen=True, eq=False)
class Node:
    """One operation on values that come before it, or a leaf.

    Args:
        operation: of ``ARITIES`` or ``LEAVES``.
        values: the places of what it takes.
        name: a leaf's.
        number: of the leaf ``"number"``.
    """

    operation: str
    values: tuple[int, ...] = ()
    name: str = ""
    number: float = 0.0

    @cached_property
    def _key(self) -> tuple[Any, ...]:
        # -0.0 equals 0.0, which is another number to divide by; NaN equals nothing
        return self.operation, self.values, self.name, repr(self.number)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Node) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


@dataclass(frozen=True)
class Program:
    """From the gates' sums and the states before to the states after one step.

    Args:
        gates: their names in the order of their rows in the weights. Those whose two sums are taken apart come last.
        states: their names. The first is the output.
        inputs: what else the step is given, by name: ``"unit"``, ``"sequence"`` or ``"step"``. In the names' order,
            whatever order they are given in: programs that are equal take the same inputs in the same places.
        nodes: in an order in which each comes after what it takes.
        results: the places of the states after the step, and behind them of what is fed back where it is none of them.
        fed_back: which of the results ``weight_hh`` multiplies at the step after.
    """

    gates: tuple[str, ...]
    states: tuple[str, ...]
    inputs: Mapping[str, str]
    nodes: tuple[Node, ...]
    results: tuple[int, ...]
    fed_back: int = 0
    _inputs_by: Mapping[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", dict(sorted(self.inputs.items())))
        kinds = {*self.inputs.values()}
        inputs_by = {kind: tuple(name for name, of in self.inputs.items() if of == kind) for kind in kinds}
        object.__setattr__(self, "_inputs_by", inputs_by)  # now: asked for at every call, compiled ones too
        for name in _OF_LAYERS.union(f"{state}_0" for state in self.states).intersection(self.inputs):
            raise InputError(
                f"{name}: expected another name for an input, for layers have an argument or weights of it"
            )

    def __repr__(self) -> str:
        names = ("fed_back" if name == _FED_BACK else name for name in self.carried)
        step = "; ".join(assignments(self.nodes, dict(zip(names, self.results, strict=True))))
        return f"Program({step if len(step) <= _MOST_SHOWN else step[:_MOST_SHOWN] + '…'})"

    @cached_property
    def _hash(self) -> int:
        return hash((self.gates, self.states, self.nodes, self.results, self.fed_back))

    def __hash__(self) -> int:
        return self._hash  # asked for at every call of a layer

    def inputs_by(self, kind: str) -> tuple[str, ...]:
        """The names of the inputs of a kind, in their order."""
        return self._inputs_by.get(kind, ())

    @property
    def carried(self) -> tuple[str, ...]:
        """The names of what goes to the step after: the results'."""
        return (*self.states, _FED_BACK)[: len(self.results)]

    @cached_property
    def apart(self) -> tuple[str, ...]:
        """The gates that take ``W_ih x + b_ih`` and ``W_hh h + b_hh`` apart."""
        taken = {node.name for node in self.nodes if node.operation in ("gate_input", "gate_recurrent")}
        return tuple(gate for gate in self.gates if gate in taken)

    @cached_property
    def is_recurrent(self) -> bool:
        """Whether the output is fed back through ``weight_hh``: not where all gates take their input's part alone."""
        return any(node.operation in ("gate", "gate_recurrent") for node in self.nodes)

    def with_numbers(self, numbers: Mapping[str, float]) -> Program:
        """The program to which some inputs are given once and for all.

        Args:
            numbers: by the input's name one for all steps, sequences and units.

        Raises:
            InputError: there is no such input, or it is given no number.
        """
        for name in numbers:
            if name not in self.inputs:
                raise InputError(f"{name}: expected one of the inputs ({', '.join(self.inputs)}), got another name")
            if not isinstance(numbers[name], Real):
                raise InputError(f"{name}: expected a number, got {shown(numbers[name])}")
        nodes = tuple(
            Node("number", number=float(numbers[node.name]))
            if node.operation in ("unit", "sequence", "step") and node.name in numbers
            else node
            for node in self.nodes
        )
        inputs = {name: kind for name, kind in self.inputs.items() if name not in numbers}
        return replace(self, inputs=inputs, nodes=nodes)._without_masks()

    def _without_masks(self) -> Program:
        """The same where what is fed back is a state times 1: that state."""
        if len(self.results) == len(self.states):
            return self
        *states, last = self.results
        factors = [value for value in self.nodes[last].values if self.nodes[value] != Node("number", number=1.0)]
        if self.nodes[last].operation != "multiply" or len(factors) != 1 or states.count(factors[0]) != 1:
            return self
        nodes = self.nodes[: max(states) + 1]  # without the mask, which came behind them
        return replace(self, nodes=nodes, results=(*states,), fed_back=states.index(factors[0]))

    @cached_property
    def text(self) -> str:
        """The data as JSON, the same of programs that are equal."""
        return json.dumps(self.to_data(), separators=(",", ":"))

    def to_data(self) -> dict[str, Any]:
        """Lists, dictionaries, strings and numbers alone."""
        return {
            "gates": [*self.gates],
            "states": [*self.states],
            "inputs": dict(self.inputs),
            "nodes": [[node.operation, *_arguments(node)] for node in self.nodes],
            "results": [*self.results],
            **({"fed_back": self.fed_back} if self.fed_back else {}),
        }

    @classmethod
    def from_data(cls, data: Any) -> Program:
        """The inverse of :meth:`to_data`.

        Raises:
            InputError: it is none of these; the place and what was expected there are named.
        """
        fields = {"gates", "states", "inputs", "nodes", "results"}
        if not isinstance(data, dict) or {*data} - {"fed_back"} != fields:
            raise InputError(f"program: expected a dictionary of {', '.join(sorted(fields))}, got {shown(data)}")
        gates, states = (_names(data[field], field) for field in ("gates", "states"))
        inputs = data["inputs"]
        if not isinstance(inputs, dict) or any(kind not in ("unit", "sequence", "step") for kind in inputs.values()):
            raise InputError(f"inputs: expected kinds by name, 'unit', 'sequence' or 'step', got {shown(inputs)}")
        if len({*gates, *states, *_names([*inputs], "inputs")}) != len(gates) + len(states) + len(inputs):
            raise InputError("program: expected names that are given once")
        nodes = data["nodes"]
        if not isinstance(nodes, list) or not 0 < len(nodes) <= MOST_NODES:
            raise InputError(f"nodes: expected a list of 1 to {MOST_NODES}, got {shown(nodes)}")
        results, fed_back = data["results"], data.get("fed_back", 0)
        if not _is_place(fed_back, [*states, _FED_BACK]):
            raise InputError(f"fed_back: expected one of {len(states)} states, or behind them, got {shown(fed_back)}")
        if (
            not isinstance(results, list)
            or len(results) != max(len(states), fed_back + 1)
            or not all(_is_place(r, nodes) for r in results)
        ):
            raise InputError(f"results: expected the place of a node for each state, got {shown(results)}")
        known = {"gate": gates, "gate_input": gates, "gate_recurrent": gates, "state": states} | {
            kind: [name for name, of in inputs.items() if of == kind] for kind in ("unit", "sequence", "step")
        }
        program = cls(
            tuple(gates),
            tuple(states),
            dict(inputs),
            tuple(_node(node, place, known) for place, node in enumerate(nodes)),
            tuple(results),
            fed_back,
        )
        program._check()
        return program

    def _check(self) -> None:
        of_masks = [node.operation in MASKS for node in self.nodes]
        for place, node in enumerate(self.nodes):
            for position, value in enumerate(node.values):
                if of_masks[value] != (node.operation == "select" and position == 0):
                    raise InputError(f"nodes[{place}]: expected a comparison to choose by, and nowhere else")
        if any(of_masks[result] for result in self.results):
            raise InputError("results: expected values, got a comparison")
        apart = self.apart
        if self.gates[len(self.gates) - len(apart) :] != apart:
            raise InputError(f"gates: expected those taken apart ({', '.join(apart)}) behind the others")


def _arguments(node: Node) -> Sequence[Any]:
    if node.operation == "number":
        return (node.number,)
    return (node.name,) if LEAVES.get(node.operation) else node.values


def _names(names: Any, field: str) -> list[str]:
    if not isinstance(names, list) or not all(isinstance(name, str) and name.isidentifier() for name in names):
        raise InputError(f"{field}: expected a list of names, got {shown(names)}")
    if len(names) > 16 or (field != "inputs" and not names):
        raise InputError(f"{field}: expected 1 to 16 names, got {len(names)}")
    return names


def _is_place(place: Any, before: Sequence[Any]) -> bool:
    return type(place) is int and 0 <= place < len(before)


def _node(data: Any, place: int, known: Mapping[str, Sequence[str]]) -> Node:
    def refuse(expected: str) -> InputError:
        return InputError(f"nodes[{place}]: expected {expected}, got {shown(data)}")

    if not isinstance(data, list) or not data or not isinstance(data[0], str):
        raise refuse("an operation and what it takes")
    operation, *arguments = data
    if operation in ARITIES:
        if len(arguments) != ARITIES[operation] or not all(_is_place(value, range(place)) for value in arguments):
            raise refuse(f"{ARITIES[operation]} places of nodes before it")
        return Node(operation, tuple(arguments))
    if operation == "units" and not arguments:
        return Node(operation)
    if operation == "number" and len(arguments) == 1 and type(arguments[0]) in (int, float):
        try:
            return Node(operation, number=float(arguments[0]))
        except OverflowError:
            raise refuse("a number that fits into float64") from None
    if LEAVES.get(operation) and len(arguments) == 1 and arguments[0] in known[operation]:
        return Node(operation, name=arguments[0])
    raise refuse("an operation that there is, with what it takes")
