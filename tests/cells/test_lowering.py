"""The engine's instructions, carried out one by one, beside PyTorch's autograd."""

from collections.abc import Sequence
from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from elman.cells import Cell, Program, fma, sigma, tanh
from elman.cells._evaluation import evaluate
from elman.cells._lowering import Instruction, lower
from elman.cells._program import Node
from tests.cells.test_gradients import ROWS, UNITS, leaves, of_autograd, programs


def carry_out(instructions: Sequence[Instruction], places: dict[Any, Tensor]) -> None:
    """As the engine does: each result replaces what was in its place."""
    like = torch.zeros(ROWS, UNITS, dtype=torch.float64)
    for instruction in instructions:
        taken = []
        for kind, which in instruction.values:
            number = float(UNITS) if kind == "units" else which
            taken.append(like.new_full((), number) if kind in ("number", "units") else places[kind, which])
        if instruction.operation == "select":
            taken[0] = taken[0] != 0
        nodes = [Node("unit", name=str(i)) for i in range(len(taken))]
        operation = Node(instruction.operation, tuple(range(len(taken))))
        value = evaluate([*nodes, operation], lambda node, taken=taken: taken[int(node.name)], like)[-1]
        places[instruction.to] = value.expand_as(like).to(like.dtype)


@settings(max_examples=60)
@given(programs(), st.integers(0, 100))
def test_instructions_compute_states_and_gradients(program: Program, seed: int) -> None:
    lowered, leaf = lower(program), leaves(seed)
    indices = {"gate": program.gates, "gate_input": program.gates, "gate_recurrent": program.gates}
    indices |= {"state": program.states, "unit": ["leak"], "sequence": ["mask"], "step": ["noise"]}
    named = {
        (node.operation, indices[node.operation].index(node.name)): leaf(node) for node in program.nodes if node.name
    }
    values = evaluate(program.nodes, leaf, torch.zeros(ROWS, UNITS, dtype=torch.float64))
    places = {place: tensor.detach() for place, tensor in named.items()}
    before = dict(places)
    carry_out(lowered.forward, places)
    for i, result in enumerate(program.results):
        torch.testing.assert_close(places["after", i], values[result].detach().expand(ROWS, UNITS))

    kept = {place: tensor for place, tensor in places.items() if place[0] == "kept"}
    assert len(kept) == lowered.kept
    d_states = {("d_after", i): leaf(Node("d_after", name=name)).detach() for i, name in enumerate(program.states)}
    given = {place: tensor for place, tensor in before.items() if not place[0].startswith("gate")}
    places = given | kept | d_states
    carry_out(lowered.backward, places)
    written = {instruction.to for instruction in lowered.backward}
    for (kind, which), theirs in zip(named, of_autograd(program, values, leaf), strict=True):
        to = (f"d_{kind}", which)
        ours = places[to] if to in written else torch.zeros(ROWS, UNITS, dtype=torch.float64)
        ours = ours.sum(0) if kind == "unit" else ours
        torch.testing.assert_close(ours, theirs, equal_nan=True)


def test_what_is_kept_is_what_costs_most_to_compute_again() -> None:
    class LSTM(Cell):
        gates, states = ("i", "f", "g", "o"), ("h", "c")

        def step(self, i: Any, f: Any, g: Any, o: Any, c: Any) -> Any:
            c = fma(sigma(f), c, sigma(i) * tanh(g))
            return sigma(o) * tanh(c), c

    class Leaky(Cell):
        def step(self, a: Any, h: Any) -> Any:
            return 0.8 * h + 0.2 * tanh(a)

    assert lower(LSTM().program).kept == 5
    assert lower(Leaky().program).kept == 1
