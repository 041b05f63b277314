"""Layers and cells with the interface of ``torch.nn``: ours and theirs are timed by the same lines."""

from functools import partial
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from elman.bench._problem import Problem, Results
from elman.bench._variant import Variant

__all__ = ["inference", "step", "training"]


def inference(nn: ModuleType, problem: Problem) -> Variant:
    call = partial(_loaded(nn, problem.case.family.title, problem), torch.from_numpy(problem.x))
    return Variant("", call, lambda found: {"output": found[0].numpy()}, torch.inference_mode)


def training(nn: ModuleType, problem: Problem) -> Variant:
    """Forward, backward, and the gradients of the input and of all parameters."""
    module = _loaded(nn, problem.case.family.title, problem)
    x, d_output = torch.from_numpy(problem.x).requires_grad_(), torch.from_numpy(problem.d_output)
    leaves = {"input": x} | {name.removesuffix("_l0"): parameter for name, parameter in module.named_parameters()}
    given = list(leaves.values())

    def call() -> tuple[Tensor, tuple[Tensor, ...]]:
        output, _ = module(x)
        return output, torch.autograd.grad(output, given, d_output)

    def read(found: tuple[Tensor, tuple[Tensor, ...]]) -> Results:
        output, gradients = found
        named = {f"d_{name}": gradient.numpy() for name, gradient in zip(leaves, gradients, strict=True)}
        return named | {"output": output.detach().numpy()}

    return Variant("", call, read)


def step(nn: ModuleType, problem: Problem) -> Variant:
    module = _loaded(nn, f"{problem.case.family.title}Cell", problem)
    call = partial(module, torch.from_numpy(problem.x[0]), problem.state(torch.from_numpy))

    def read(found: Tensor | tuple[Tensor, Tensor]) -> Results:
        h = found if isinstance(found, Tensor) else found[0]
        return {"output": h[None].numpy()}

    return Variant("", call, read, torch.inference_mode)


def _loaded(nn: ModuleType, title: str, problem: Problem) -> Any:
    module = getattr(nn, title)(problem.case.shape.input_size, problem.case.shape.hidden_size)
    names = dict(zip(module.state_dict(), problem.parameters.values(), strict=True))
    module.load_state_dict({name: torch.from_numpy(array) for name, array in names.items()})
    return module
