"""The right results of a problem, by the equations of :mod:`elman.reference` in float64."""

import torch

from elman import reference
from elman.bench._problem import Problem, Results

__all__ = ["solve"]


def solve(problem: Problem) -> Results:
    """Return what every contender has to find: ``output`` and, in training, the gradients by the parameters' names."""
    given = {"input": problem.x} | {name.removesuffix("_l0"): array for name, array in problem.parameters.items()}
    training = problem.case.kind == "training"
    leaves = {name: torch.from_numpy(array).double().requires_grad_(training) for name, array in given.items()}
    input, *parameters = leaves.values()
    h_0, c_0 = ([torch.from_numpy(state).double() for state in problem.states] + [None])[:2]
    output, *_ = reference.layer(input, None, h_0, c_0, *parameters, cell=problem.case.engine_cell, reverse=False)
    results = {"output": output.detach()}
    if training:
        gradients = torch.autograd.grad(output, [*leaves.values()], torch.from_numpy(problem.d_output).double())
        results |= {f"d_{name}": gradient for name, gradient in zip(leaves, gradients, strict=True)}
    return {name: tensor.numpy() for name, tensor in results.items()}
