"""Programs and their gradients, beside PyTorch's autograd in float64."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from elman.cells import Program
from elman.cells._evaluation import evaluate
from elman.cells._gradients import differentiate
from elman.cells._program import ARITIES, MASKS, Node

ROWS, UNITS = 3, 4
LEAVES = [
    Node("gate", name="a"),
    Node("gate_input", name="n"),
    Node("gate_recurrent", name="n"),
    Node("state", name="h"),
    Node("state", name="c"),
    Node("unit", name="leak"),
    Node("sequence", name="mask"),
    Node("step", name="noise"),
    Node("number", number=0.5),
    Node("units"),
]
# where these are not smooth, or have no value, autograd and the rules may differ by a half or by NaN
SMOOTH = [name for name in ARITIES if name not in {"divide", "log", "sqrt", "select", *MASKS}]


@st.composite
def programs(draw: Any) -> Program:
    """Any mathematics: roots, quotients and logarithms are of what is above 0."""
    nodes = [*LEAVES]

    def add(operation: str, *values: int) -> int:
        nodes.append(Node(operation, values))
        return len(nodes) - 1

    values = [*range(len(nodes))]
    place = st.sampled_from(values)  # of the list as it is when it is drawn from
    for _ in range(draw(st.integers(1, 12))):
        place = st.sampled_from([*values])
        operation = draw(st.sampled_from([*SMOOTH, "divide", "log", "sqrt", "select"]))
        if operation == "select":
            comparison = add(draw(st.sampled_from(sorted(MASKS))), draw(place), draw(place))
            values.append(add("select", comparison, draw(place), draw(place)))
        elif operation in SMOOTH:
            taken = [add("tanh", draw(place)) if operation == "exp" else draw(place) for _ in range(ARITIES[operation])]
            values.append(add(operation, *taken))
        else:
            above_0 = add("softplus", draw(place))
            values.append(add("divide", draw(place), above_0) if operation == "divide" else add(operation, above_0))
    inputs = {"leak": "unit", "mask": "sequence", "noise": "step"}
    return Program(("a", "n"), ("h", "c"), inputs, tuple(nodes), (values[-1], draw(place)))


def leaves(seed: int) -> Callable[[Node], Tensor]:
    """A tensor for each leaf, always the same."""
    generator, known = torch.Generator().manual_seed(seed), {}

    def leaf(node: Node) -> Tensor:
        shape = (UNITS,) if node.operation == "unit" else (ROWS, UNITS)
        if node not in known:
            known[node] = torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_()
        return known[node]

    for node in [*LEAVES[:-2], Node("d_after", name="h"), Node("d_after", name="c")]:
        leaf(node)
    return leaf


def of_autograd(program: Program, values: Sequence[Tensor], leaf: Callable[[Node], Tensor]) -> list[Tensor]:
    """The gradients of the leaves that have names, in their order: of inputs for each unit, summed over the rows."""
    named = [leaf(node) for node in program.nodes if node.name]
    loss = sum((0.0 * tensor.sum() for tensor in named), start=torch.zeros((), dtype=torch.float64))
    for name, place in zip(program.states, program.results, strict=True):
        loss = loss + (values[place] * leaf(Node("d_after", name=name)).detach()).sum()
    return [*torch.autograd.grad(loss, named)]


@settings(max_examples=60)
@given(programs(), st.integers(0, 100))
def test_gradients_are_those_of_autograd(program: Program, seed: int) -> None:
    gradients, leaf, like = differentiate(program), leaves(seed), torch.zeros(ROWS, UNITS, dtype=torch.float64)
    values = evaluate(gradients.nodes, leaf, like)
    named = [place for place, node in enumerate(program.nodes) if node.name]
    for place, theirs in zip(named, of_autograd(program, values, leaf), strict=True):
        ours = torch.zeros_like(like)
        if place in gradients.of_leaves:
            ours = values[gradients.of_leaves[place]].expand_as(like)
        ours = ours.sum(0) if program.nodes[place].operation == "unit" else ours
        torch.testing.assert_close(ours, theirs, equal_nan=True)


@settings(max_examples=30)
@given(programs())
def test_a_program_goes_through_data_unchanged(program: Program) -> None:
    assert Program.from_data(program.to_data()) == program
