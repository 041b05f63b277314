"""The engine's instructions, carried out one by one, beside PyTorch's autograd."""

from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from elman.cells import Cell, Program, fma, sigma, tanh
from elman.cells._evaluation import evaluate
from elman.cells._lowering import Ways, lower
from elman.cells._program import Node
from tests.cells.test_gradients import ROWS, UNITS, leaves, of_autograd, programs

NAMES = {"multiply_add": "fma", "absolute": "abs", "row_sum": "sum_units"}


def carry_out(way: Ways, given: dict[Any, Tensor]) -> dict[Any, Tensor]:
    """As the engine does."""
    like = torch.zeros(ROWS, UNITS, dtype=torch.float64)
    instructions, outputs = way
    values = dict(given)
    for i, (name, taken) in enumerate(instructions):
        arguments = [values[value] for value in taken]
        if name == "select":
            arguments[0] = arguments[0] != 0
        leaves = [Node("unit", name=str(k)) for k in range(len(arguments))]
        operation = Node(NAMES.get(name, name), tuple(range(len(arguments))))
        result = evaluate([*leaves, operation], lambda node, of=arguments: of[int(node.name)], like)[-1]
        values["result", i] = result.expand_as(like).to(like.dtype)
    return {to: values[value].expand_as(like) for to, value in outputs}


@settings(max_examples=60)
@given(programs(), st.integers(0, 100), st.booleans())
def test_instructions_compute_states_and_gradients(program: Program, seed: int, every: bool) -> None:
    lowered, leaf = lower(program, UNITS, every), leaves(seed)
    values = evaluate(program.nodes, leaf, torch.zeros(ROWS, UNITS, dtype=torch.float64))
    named: dict[Any, Tensor] = {}  # in the engine's words, in the order of the program's leaves
    for kind, which, node in [
        ("sum", 0, Node("gate", name="a")),
        ("from_input", 1, Node("gate_input", name="n")),
        ("from_hidden", 1, Node("gate_recurrent", name="n")),
        ("state", 0, Node("state", name="h")),
        ("state", 1, Node("state", name="c")),
        ("unit_input", 0, Node("unit", name="leak")),
        ("row_input", 0, Node("sequence", name="mask")),
        ("step_input", 0, Node("step", name="noise")),
    ]:
        named[kind, which] = leaf(node)
    given = {value: tensor.detach() for value, tensor in named.items()}
    given |= {("constant", i): torch.tensor(x, dtype=torch.float64) for i, x in enumerate(lowered.constants)}
    forward = carry_out(lowered.forward, given)
    for i, result in enumerate(program.results):
        torch.testing.assert_close(forward["new_state", i], values[result].detach().expand(ROWS, UNITS))
    assert sum(kind == "kept" for kind, _ in forward) == lowered.kept

    given = {value: tensor for value, tensor in given.items() if value[0] not in ("sum", "from_input", "from_hidden")}
    d_after = {("d_new_state", i): leaf(Node("d_after", name=name)).detach() for i, name in enumerate(program.states)}
    if every:  # a part of it behind the step inputs
        d_after["step_input", 1] = torch.rand_like(d_after["d_new_state", 1])
        d_after["d_new_state", 1] = d_after["d_new_state", 1] - d_after["step_input", 1]
    backward = carry_out(lowered.backward, given | forward | d_after)
    for (kind, which), theirs in zip(named, of_autograd(program, values, leaf), strict=True):
        ours = backward.get((f"d_{kind}", which), torch.zeros(ROWS, UNITS, dtype=torch.float64))
        ours = ours.sum(0) if kind == "unit_input" else ours
        torch.testing.assert_close(ours, theirs, equal_nan=True)
    required = {("d_sum", 0), ("d_from_input", 1), ("d_from_hidden", 1), ("d_state", 1)}
    assert required <= {*backward}


def test_what_is_kept_is_what_costs_most_to_compute_again() -> None:
    class LSTM(Cell):
        gates, states = ("i", "f", "g", "o"), ("h", "c")

        def step(self, i: Any, f: Any, g: Any, o: Any, c: Any) -> Any:
            c = fma(sigma(f), c, sigma(i) * tanh(g))
            return sigma(o) * tanh(c), c

    class Leaky(Cell):
        def step(self, a: Any, h: Any) -> Any:
            return 0.8 * h + 0.2 * tanh(a)

    class Elman(Cell):
        def step(self, a: Any) -> Any:
            return tanh(a)

    class Voltage(Cell):
        states, fed_back = ("v", "r"), "r"

        def step(self, a: Any, v: Any) -> Any:
            v = 0.8 * v + 0.2 * a
            return v, tanh(v)

    assert lower(LSTM().program, 8).kept == 5  # c is at hand
    assert lower(Leaky().program, 8).kept == 1
    assert lower(Elman().program, 8).kept == 0  # tanh' is read off the output
    assert lower(Voltage().program, 8).kept == 0  # what a would be multiplied by, nobody asks the gradient of
