"""Ours: ``elman.nn.Recurrent`` of a cell of the user's own."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

import elman.nn
from elman.bench._problem import Problem, Results
from elman.bench._variant import Variant
from elman.cells import Cell, Learned, Program


class Given(Cell):
    """A cell whose program comes as data."""

    program: Program

    def __init__(self, problem: Problem) -> None:
        own = problem.own
        self.program = own.program
        self.parameters = {
            name: Learned(problem.inputs[name]) if name in own.learned else problem.inputs[name] for name in own.units
        }


def inference(problem: Problem, threads: int) -> Iterator[Variant]:
    layer, given = _layer(problem)
    call = partial(layer, torch.from_numpy(problem.x), **given)
    yield Variant("", call, lambda found: {"output": found[0].numpy()}, torch.inference_mode)


def training(problem: Problem, threads: int) -> Iterator[Variant]:
    """Forward, backward, and the gradients of the input and of all parameters."""
    layer, given = _layer(problem)
    x, d_output = torch.from_numpy(problem.x).requires_grad_(), torch.from_numpy(problem.d_output)
    leaves = {"input": x} | {name.removesuffix("_l0"): parameter for name, parameter in layer.named_parameters()}

    def call() -> tuple[Tensor, tuple[Tensor, ...]]:
        output, _ = layer(x, **given)
        return output, torch.autograd.grad(output, [*leaves.values()], d_output)

    def read(found: tuple[Tensor, tuple[Tensor, ...]]) -> Results:
        output, gradients = found
        named = {f"d_{name}": gradient.numpy() for name, gradient in zip(leaves, gradients, strict=True)}
        return named | {"output": output.detach().numpy()}

    yield Variant("", call, read)


def _layer(problem: Problem) -> tuple[Any, dict[str, Tensor]]:
    """Return the layer, and what its cell is given by step and sequence."""
    shape, program = problem.case.shape, problem.own.program
    layer = elman.nn.Recurrent(Given(problem), shape.input_size, shape.hidden_size)
    layer.load_state_dict({name: torch.from_numpy(array) for name, array in problem.parameters.items()})
    names = program.inputs_by("step") + program.inputs_by("sequence")
    return layer, {name: torch.from_numpy(problem.inputs[name]) for name in names}
