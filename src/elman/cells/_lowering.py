"""From a program to the engine's lists of instructions, and what the forward pass keeps for the backward pass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

from elman.cells._gradients import differentiate
from elman.cells._program import Node, Program

__all__ = ["Lowered", "Value", "Ways", "lower"]

#: What a value is and which of its kind, in the engine's words: ("result", 3), ("sum", 0), ("constant", 1).
Value = tuple[str, int]
#: Operations with what they take, and what becomes of which value.
Ways = tuple[list[tuple[str, tuple[Value, ...]]], list[tuple[Value, Value]]]

_NAMES = {"fma": "multiply_add", "abs": "absolute", "sum_units": "row_sum"}  # where the engine's is another
_KINDS = {
    "gate": "sum",
    "gate_input": "from_input",
    "gate_recurrent": "from_hidden",
    "state": "state",
    "unit": "unit_input",
    "sequence": "row_input",
    "step": "step_input",
    "d_after": "d_new_state",
}
# Costly enough to be kept for BPTT, not computed again.
_COSTLY = frozenset({"divide", "exp", "log", "sqrt", "tanh", "sigma", "softplus", "sum_units"})
MOST_KEPT = 32  # of the engine: where it is not enough, all that can be is computed again
_OF_SUMS = frozenset({"gate", "gate_input", "gate_recurrent"})


@dataclass(frozen=True)
class Lowered:
    """What the engine runs.

    Args:
        kept: values that the forward pass keeps of each step, row and unit.
        constants: numbers that both ways may take.
        forward: to each ``("new_state", i)`` and ``("kept", i)``.
        backward: from what was kept, states, inputs and ``("d_new_state", i)`` to the gradients of sums, states before
            the step and inputs.
    """

    kept: int
    constants: list[float]
    forward: Ways
    backward: Ways


def lower(program: Program, units: int, every: bool = False, kept: Sequence[int] = ()) -> Lowered:
    """Differentiate a program and write both ways down as instructions, for so many hidden units.

    Args:
        program: what a step does.
        units: hidden ones.
        every: something comes back through the states but the first at every step, not from the step after alone: the
            backward list reads it as further step inputs, one for each of them.
        kept: the places of what a forward pass by other means has kept. Default: what pays.
    """
    gradients = differentiate(program)
    nodes, count = gradients.nodes, len(program.nodes)
    after: dict[int, Value] = {}
    for state, place in enumerate(program.results):
        after.setdefault(place, ("new_state", state))
    wanted = {place for place in _needed(nodes, gradients.of_leaves.values(), count) if place < count}
    kept = kept or _kept(program.nodes, wanted, after.keys(), _COSTLY)
    if len(kept) > MOST_KEPT:
        kept = _kept(program.nodes, wanted, after.keys(), frozenset({"sum_units"}))

    forward = _Writer(program, nodes, units)
    for state, place in enumerate(program.results):
        forward.write(("new_state", state), place)
    for i, place in enumerate(kept):
        forward.write(("kept", i), place)
    of_kept: dict[int, Value] = {place: ("kept", i) for i, place in enumerate(kept)}
    backward = _Writer(program, nodes, units, forward.constants, after | of_kept)
    if every:
        steps = len(program.inputs_by("step"))
        for state, name in enumerate(program.carried[1:], 1):
            d_after = nodes.index(Node("d_after", name=name))
            backward.values[d_after] = backward.add("add", ("d_new_state", state), ("step_input", steps + state - 1))
    of_leaves = {forward.leaf(nodes[place]): d for place, d in gradients.of_leaves.items()}
    plain = len(program.gates) - len(program.apart)
    required = [("sum", gate) for gate in range(plain)]
    required += [(kind, gate) for kind in ("from_input", "from_hidden") for gate in range(plain, len(program.gates))]
    required += [("state", state) for state in range(1, len(program.results))]
    # what a step takes and makes nothing of has a gradient too: zero
    required += [
        (_KINDS[kind], i) for kind in ("unit", "sequence", "step") for i in range(len(program.inputs_by(kind)))
    ]
    for kind, which in sorted({*required, *of_leaves}):
        backward.write((f"d_{kind}", which), of_leaves.get((kind, which)))
    return Lowered(len(kept), forward.constants, forward.way, backward.way)


def _needed(nodes: Sequence[Node], places: Iterable[int], count: int) -> set[int]:
    """The places of what the gradients are made of: theirs, and those of the program's ``count`` nodes they read."""
    needed: set[int] = set()
    open_ = [*places]
    while open_:
        place = open_.pop()
        if place not in needed:
            needed.add(place)
            open_ += nodes[place].values if place >= count else ()
    return needed


def _kept(nodes: Sequence[Node], wanted: Iterable[int], after: Set[int], costly: Set[str]) -> list[int]:
    """The places that the forward pass keeps, so that all that is wanted can be had of them and the states."""
    wanted = {*wanted}
    kept: list[int] = []
    at_hand: set[int] = set()  # can be had without, or of what is kept
    for place, node in enumerate(nodes):
        is_cheap = node.operation not in _OF_SUMS | costly and at_hand.issuperset(node.values)
        if place in after or is_cheap:
            at_hand.add(place)
        elif place in wanted:
            kept.append(place)
            at_hand.add(place)
    return kept


class _Writer:
    """Writes one way: each node once, after what it takes."""

    def __init__(
        self,
        program: Program,
        nodes: Sequence[Node],
        units: int,
        constants: list[float] | None = None,
        given: dict[int, Value] | None = None,
    ) -> None:
        self.nodes, self.units = nodes, units
        self.constants: list[float] = [] if constants is None else constants
        self.values = dict(given or {})
        self.way: Ways = ([], [])
        self._names: dict[str, Sequence[str]] = {
            **dict.fromkeys(_OF_SUMS, program.gates),
            **dict.fromkeys(("state", "d_after"), program.carried),
            **{kind: program.inputs_by(kind) for kind in ("unit", "sequence", "step")},
        }

    def write(self, to: Value, place: int | None) -> None:
        """Let ``to`` become what is at this place, zero without one."""
        value = self._constant(0.0) if place is None else self._value(place)
        self.way[1].append((to, value))

    def add(self, operation: str, *taken: Value) -> Value:
        """The result of one more instruction."""
        self.way[0].append((operation, taken))
        return "result", len(self.way[0]) - 1

    def leaf(self, node: Node) -> Value:
        """What a leaf is to the engine."""
        if node.name:
            return _KINDS[node.operation], self._names[node.operation].index(node.name)
        return self._constant(float(self.units) if node.operation == "units" else node.number)

    def _value(self, wanted: int) -> Value:
        open_ = [wanted]
        while open_:  # no recursion: a chain of operations may be as long as a program
            place = open_[-1]
            node = self.nodes[place]
            missing = [value for value in node.values if value not in self.values]
            if place not in self.values and missing:
                open_ += missing
                continue
            open_.pop()
            if place in self.values:
                continue
            if node.values:
                operation = _NAMES.get(node.operation, node.operation)
                self.values[place] = self.add(operation, *(self.values[value] for value in node.values))
            else:
                self.values[place] = self.leaf(node)
        return self.values[wanted]

    def _constant(self, number: float) -> Value:
        texts = [*map(repr, self.constants)]  # for -0.0 equals 0.0
        if repr(number) not in texts:
            self.constants.append(number)
            texts.append(repr(number))
        return "constant", texts.index(repr(number))
