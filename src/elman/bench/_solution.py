"""The right results of a problem, by the equations of :mod:`elman.reference` in float64."""

import numpy as np
import torch

from elman import reference
from elman.bench._problem import Problem, Results
from elman.bench.peers import own_torch

__all__ = ["solve"]


def solve(problem: Problem) -> Results:
    """Return what every contender has to find: ``output`` and, in training, the gradients by the parameters' names."""
    if problem.case.own:
        return _solve_own(problem)
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


def _solve_own(problem: Problem) -> Results:
    """The same of a cell of the user's own, by its program in PyTorch's operations.

    Raises:
        ValueError: it gives numbers that are not finite, which cannot be compared.
    """
    variant = own_torch.training_by(problem, own_torch.outputs, torch.float64)
    found = variant.read(variant.call())
    wanted = found if problem.case.kind == "training" else {"output": found["output"]}
    for name, values in wanted.items():
        if not np.isfinite(values).all():
            raise ValueError(f"{name}: expected finite numbers of the cell at normal inputs, got NaN or infinity")
    return wanted
