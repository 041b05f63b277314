"""From a program to the engine's instructions: which values the forward pass keeps, and where each of them lies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from elman.cells._gradients import differentiate
from elman.cells._program import Node, Program

__all__ = ["Instruction", "Lowered", "Place", "lower"]

#: What a value is and which of its kind: ("temporary", 3), ("gate", 0), ("number", 0.5).
Place = tuple[str, float]

# Costly enough to be kept for BPTT, not computed again.
_COSTLY = frozenset({"divide", "exp", "log", "sqrt", "tanh", "sigma", "softplus", "sum_units"})
_OF_SUMS = frozenset({"gate", "gate_input", "gate_recurrent"})


@dataclass(frozen=True)
class Instruction:
    """One operation, where its result goes, and what it takes."""

    operation: str
    to: Place
    values: tuple[Place, ...]


@dataclass(frozen=True)
class Lowered:
    """What the engine runs.

    Args:
        kept: values that the forward pass keeps of each step, row and unit.
        forward: from gates, states before the step and inputs to ``("after", i)``, the states, and ``("kept", i)``.
        backward: from what was kept, the same states and inputs, and ``("d_after", i)`` to the gradients of gates,
            states before the step and inputs, ``("d_gate", i)`` and so on.
    """

    kept: int
    forward: tuple[Instruction, ...]
    backward: tuple[Instruction, ...]


def lower(program: Program) -> Lowered:
    """Differentiate a program and write both ways down as instructions."""
    gradients = differentiate(program)
    nodes, count = gradients.nodes, len(program.nodes)
    kept = _kept(program.nodes, {value for node in nodes[count:] for value in node.values if value < count})
    leaf = _leaves(program)

    forward = _Writer(nodes, leaf)
    forward.write(
        [(("after", i), place) for i, place in enumerate(program.results)]
        + [(("kept", i), place) for i, place in enumerate(kept)]
    )
    of_kept: dict[int, Place] = {place: ("kept", i) for i, place in enumerate(kept)}
    backward = _Writer(nodes, leaf, of_kept)
    backward.write([(_of_gradient(leaf(nodes[place])), d) for place, d in sorted(gradients.of_leaves.items())])
    return Lowered(len(kept), tuple(forward.instructions), tuple(backward.instructions))


def _kept(nodes: Sequence[Node], needed: Iterable[int]) -> list[int]:
    """The places that the forward pass keeps, so that all that is needed can be had of them."""
    wanted = set(needed)
    kept: list[int] = []
    at_hand: set[int] = set()  # can be had without, or of what is kept
    for place, node in enumerate(nodes):
        if node.operation not in _OF_SUMS | _COSTLY and at_hand.issuperset(node.values):
            at_hand.add(place)
        elif place in wanted:
            kept.append(place)
            at_hand.add(place)
    return kept


def _leaves(program: Program) -> Callable[[Node], Place]:
    of_kind = {
        kind: [name for name, of in program.inputs.items() if of == kind] for kind in ("unit", "sequence", "step")
    }
    names: dict[str, Sequence[str]] = {
        **dict.fromkeys(("gate", "gate_input", "gate_recurrent"), program.gates),
        **dict.fromkeys(("state", "d_after"), program.states),
        **of_kind,
    }

    def place_of(node: Node) -> Place:
        if node.operation == "number":
            return "number", node.number
        if node.operation == "units":
            return "units", 0
        return node.operation, names[node.operation].index(node.name)

    return place_of


def _of_gradient(leaf: Place) -> Place:
    return f"d_{leaf[0]}", leaf[1]


class _Writer:
    """Writes instructions in the order of the nodes; a temporary is used again once its value has been read last."""

    def __init__(
        self, nodes: Sequence[Node], leaf: Callable[[Node], Place], given: dict[int, Place] | None = None
    ) -> None:
        self.nodes, self.leaf = nodes, leaf
        self.places = dict(given or {})
        self.instructions: list[Instruction] = []
        self._free: list[int] = []
        self._temporaries = 0

    def write(self, results: Sequence[tuple[Place, int]]) -> None:
        """Compute the nodes of ``results`` into their places, and whatever they are made of."""
        given = {*self.places}
        order = self._order(place for _, place in results)
        last: dict[int, int] = {}  # where each is read last
        for at, place in enumerate(order):
            last.update(dict.fromkeys(self.nodes[place].values, at))
        targets: dict[int, list[Place]] = {}
        for to, place in results:
            targets.setdefault(place, []).append(to)
        for at, place in enumerate(order):
            values = tuple(self._place(value) for value in self.nodes[place].values)
            tos = targets.get(place, [])
            # what is taken may lie where the result goes, but for a sum, which is read whole
            dying = {value for value in self.nodes[place].values if last[value] == at}
            in_place = self.nodes[place].operation != "sum_units"
            if in_place:
                self._release(dying)
            if place in last or len(tos) != 1:
                self.places[place] = self._temporary()
            else:
                self.places[place], tos = tos[0], []
            if not in_place:
                self._release(dying)
            self.instructions.append(Instruction(self.nodes[place].operation, self.places[place], values))
            for to in tos:
                self._copy(to, self.places[place])
            if place not in last:
                self._release([place])
        for to, place in results:
            if not self.nodes[place].values or place in given:
                self._copy(to, self._place(place))

    def _order(self, wanted: Iterable[int]) -> list[int]:
        """The nodes to compute, each after what it takes."""
        reached: set[int] = set()
        open_ = [*wanted]
        while open_:
            place = open_.pop()
            if place in reached or place in self.places or not self.nodes[place].values:
                continue
            reached.add(place)
            open_.extend(self.nodes[place].values)
        return sorted(reached)

    def _place(self, place: int) -> Place:
        node = self.nodes[place]
        return self.places[place] if place in self.places else self.leaf(node)

    def _copy(self, to: Place, value: Place) -> None:
        self.instructions.append(Instruction("add", to, (value, ("number", -0.0))))

    def _temporary(self) -> Place:
        if self._free:
            return "temporary", self._free.pop()
        self._temporaries += 1
        return "temporary", self._temporaries - 1

    def _release(self, places: Iterable[int]) -> None:
        for place in places:
            kind, index = self.places.get(place, ("", 0))
            if kind == "temporary":
                self._free.append(int(index))
