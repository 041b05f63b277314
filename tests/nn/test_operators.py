"""The registered operators: the bits of eager calls, results without their numbers, gradients of gradients."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import grad
from torch.library import opcheck

import elman.nn
from elman.ops import _operators as operators
from elman.ops._arguments import Arguments
from tests.nn.cases import CELLS, kind, named_results, output_of

WAYS = ("layer", "both directions", "packed", "step")


def made(cell: str, way: str, dtype: torch.dtype = torch.float32) -> tuple[Any, Any, list[Tensor], list[Tensor]]:
    """A module and its arguments for the way: the input, states; and the weights. All learn."""
    torch.manual_seed(3)
    directions = 2 if way in ("both directions", "packed") else 1
    if way == "step":
        module, input = kind(elman.nn, cell, "Cell")(3, 5), torch.randn(2, 3)
    else:
        module, input = kind(elman.nn, cell)(3, 5, bidirectional=directions == 2), torch.randn(4, 2, 3)
    if way == "packed":
        input = torch.randn(7, 3)
    states = [torch.randn(*(directions,) * (way != "step"), 2, 5) for _ in range(2 if cell == "lstm" else 1)]
    module, input = module.to(dtype), input.to(dtype).requires_grad_()
    return module, input, [state.to(dtype).requires_grad_() for state in states], [*module.parameters()]


BATCH_SIZES = torch.tensor([2, 2, 2, 1])


def by_the_operator(cell: str, way: str, input: Tensor, states: list[Tensor], weights: list[Tensor]) -> list[Tensor]:
    h, c = (*states, None)[:2]
    if way == "step":
        return [*operators.step(input, h, c, weights, 5, cell)]
    directions = 2 if way in ("both directions", "packed") else 1
    return [*operators.layer(input, BATCH_SIZES if way == "packed" else None, h, c, weights, 5, cell, directions)]


def eagerly(cell: str, way: str, module: Any, input: Tensor, states: list[Tensor]) -> list[Tensor]:
    hx = tuple(states) if cell == "lstm" else states[0]
    given = torch.nn.utils.rnn.PackedSequence(input, BATCH_SIZES) if way == "packed" else input
    found = module(given, hx)
    if way == "step":
        return [*found] if cell == "lstm" else [found]
    return [*named_results(*found).values()]


def loss_of(results: list[Tensor]) -> Tensor:
    return sum(((i + 1) * x.square().sum() for i, x in enumerate(results)), results[0].new_zeros(()))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("cell", CELLS)
def test_an_operator_has_the_bits_of_an_eager_call_and_so_have_its_gradients(cell: str, way: str) -> None:
    module, input, states, weights = made(cell, way)
    ours, eager = by_the_operator(cell, way, input, states, weights), eagerly(cell, way, module, input, states)
    learnt = [input, *states, *weights]
    for results in zip([*ours, *grad(loss_of(ours), learnt)], [*eager, *grad(loss_of(eager), learnt)], strict=True):
        assert torch.equal(*results)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("cell", CELLS)
def test_gradients_of_gradients_are_those_of_the_equations(cell: str, way: str) -> None:
    module, input, states, weights = made(cell, way, torch.float64)
    learnt = [input, *states, *weights]
    twice = []
    for results in (by_the_operator(cell, way, input, states, weights), eagerly(cell, way, module, input, states)):
        gradients = grad(loss_of(results), learnt, create_graph=True)
        twice.append(grad(loss_of([*gradients]), learnt))
    for ours, expected in zip(*twice, strict=True):
        torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize("way", ["layer", "step"])
@pytest.mark.parametrize("cell", CELLS)
def test_torch_func_differentiates_the_operators_once_and_twice(cell: str, way: str) -> None:
    _, input, states, weights = made(cell, way, torch.float64)
    states, weights = ([x.detach() for x in tensors] for tensors in (states, weights))

    def loss(x: Tensor) -> Tensor:
        return loss_of(by_the_operator(cell, way, x, states, weights))

    def size_of_gradient(gradient: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        return lambda x: gradient(x).square().sum()

    once, twice = torch.func.grad(loss), torch.func.grad(size_of_gradient(torch.func.grad(loss)))
    (expected,) = grad(loss(input), input, create_graph=True)
    assert torch.equal(once(input.detach()), expected)
    torch.testing.assert_close(twice(input.detach()), *grad(expected.square().sum(), input))


@pytest.mark.parametrize("way", ["both directions", "step"])
@pytest.mark.parametrize("cell", ["tanh", "lstm"])
def test_pytorch_finds_the_registration_sound(cell: str, way: str) -> None:
    _, input, states, weights = made(cell, way)
    h, c = (*states, None)[:2]
    learns = True
    directions = 2 if way == "both directions" else 1
    if way == "step":
        input, h, c = (None if x is None else x.detach().unsqueeze(0).requires_grad_() for x in (input, h, c))
    arguments = Arguments(input, None, None, None, h, c, None, None, weights, cell, directions, every=True)
    opcheck(torch.ops.elman.layer.default, (*arguments, learns))


@pytest.mark.parametrize("cell", CELLS)
def test_what_the_engine_does_not_take_goes_by_the_equations(cell: str) -> None:
    module, input, states, weights = made(cell, "both directions", torch.bfloat16)
    ours = by_the_operator(cell, "both directions", input, states, weights)
    gradients = grad(loss_of(ours), [input, *weights])
    assert {x.dtype for x in [*ours, *gradients]} == {torch.bfloat16}
    given = tuple(state.float() for state in states)
    expected = output_of(module.float()(input.float(), given if cell == "lstm" else given[0]))
    torch.testing.assert_close(ours[0].float(), expected, atol=0.05, rtol=0.05)
