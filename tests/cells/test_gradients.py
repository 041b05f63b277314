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
from elman.cells._program import Node
from tests.cells.programs import LEAVES, chosen_program

ROWS, UNITS = 3, 4


@st.composite
def programs(draw: Any) -> Program:
    return chosen_program(lambda choices: draw(st.sampled_from(choices)))


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
