"""Layers and cells with the interface of ``torch.nn``: ours and theirs are timed by the same lines."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from elman.bench._problem import Problem, Results
from elman.bench._variant import Variant

__all__ = ["inference", "step", "training"]


def inference(layer: type[torch.nn.RNN], problem: Problem, threads: int) -> Variant:
    call = partial(_loaded(layer, problem), torch.from_numpy(problem.x))
    return Variant("", call, lambda found: {"output": found[0].numpy()}, torch.inference_mode)


def training(layer: type[torch.nn.RNN], problem: Problem, threads: int) -> Variant:
    """Forward, backward, and the gradients of the input and of all parameters."""
    module = _loaded(layer, problem)
    x, d_output = torch.from_numpy(problem.x).requires_grad_(), torch.from_numpy(problem.d_output)
    leaves = [x, *module.parameters()]

    def call() -> tuple[Tensor, tuple[Tensor, ...]]:
        output, _ = module(x)
        return output, torch.autograd.grad(output, leaves, d_output)

    def read(found: tuple[Tensor, tuple[Tensor, ...]]) -> Results:
        output, (d_input, d_weight_ih, d_weight_hh, *d_biases) = found
        named = {"output": output.detach(), "d_input": d_input, "d_weight_ih": d_weight_ih, "d_weight_hh": d_weight_hh}
        return {name: tensor.numpy() for name, tensor in (named | {"d_bias": torch.stack(d_biases)}).items()}

    return Variant("", call, read)


def step(cell: type[torch.nn.RNNCell], problem: Problem, threads: int) -> Variant:
    module = _loaded(cell, problem)
    call = partial(module, torch.from_numpy(problem.x[0]), torch.from_numpy(problem.h_0))
    return Variant("", call, lambda found: {"output": found[None].numpy()}, torch.inference_mode)


def _loaded(kind: Callable[[int, int], Any], problem: Problem) -> Any:
    module = kind(problem.case.shape.input_size, problem.case.shape.hidden_size)
    names = dict(zip(module.state_dict(), problem.parameters.values(), strict=True))
    module.load_state_dict({name: torch.from_numpy(array) for name, array in names.items()})
    return module
