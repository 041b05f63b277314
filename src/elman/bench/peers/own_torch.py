"""A cell of the user's own in PyTorch's operations: its input projected at once, and a loop over the steps."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear, softplus

from elman.bench._formula import Step, function_of
from elman.bench._problem import Problem, Results
from elman.bench._variant import Variant

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": torch.abs,
    "minimum": lambda a, b: torch.minimum(a, b) if _are_tensors(a, b) else _clamped("max", a, b),
    "maximum": lambda a, b: torch.maximum(a, b) if _are_tensors(a, b) else _clamped("min", a, b),
    "select": torch.where,
    "exp": torch.exp,
    "log": torch.log,
    "sqrt": torch.sqrt,
    "tanh": torch.tanh,
    "sigma": torch.sigmoid,
    "softplus": softplus,
    "relu": torch.relu,
    "sum_units": lambda x: x.sum(-1, keepdim=True).expand(x.shape),
}
Tensors = dict[str, Tensor]


def _are_tensors(*values: Any) -> bool:
    return all(isinstance(value, Tensor) for value in values)


def _clamped(end: str, a: Any, b: Any) -> Tensor:
    tensor, number = (a, b) if isinstance(a, Tensor) else (b, a)
    return torch.clamp(tensor, **{end: number})


def step_of(problem: Problem) -> Step:
    return function_of(problem.own.program, FUNCTIONS)


def outputs(step: Step, kinds: Mapping[str, str], fed_back: int, states: list[Tensor], tensors: Tensors) -> Tensor:
    """Return the output (steps, batch, hidden_size).

    Args:
        step: the cell.
        kinds: of its inputs, by name.
        fed_back: which of the states is multiplied.
        states: before the first step, (batch, hidden_size) each.
        tensors: the input, weights, biases, and the cell's inputs, by name.
    """
    gates = tensors["weight_ih"].shape[0] // states[0].shape[-1]
    from_input = linear(tensors["input"], tensors["weight_ih"], tensors["bias_ih"]).chunk(gates, -1)
    of_steps = {name: tensors[name].unbind() for name, kind in kinds.items() if kind == "step"}
    others = {name: tensors[name] for name, kind in kinds.items() if kind != "step"}
    found = []
    for t, u in enumerate(zip(*(part.unbind() for part in from_input), strict=True)):
        v: tuple[Tensor, ...] = ()
        if "weight_hh" in tensors:
            from_hidden = linear(states[fed_back], tensors["weight_hh"], tensors["bias_hh"])
            v = (from_hidden,) if gates == 1 else from_hidden.chunk(gates, -1)
        states = [*step(u, v, states, others | {name: each[t] for name, each in of_steps.items()})]
        found.append(states[0])
    return torch.stack(found)


def inference(problem: Problem, threads: int) -> Iterator[Variant]:
    yield inference_by(problem, outputs)


step = inference


def training(problem: Problem, threads: int) -> Iterator[Variant]:
    yield training_by(problem, outputs)


def inference_by(problem: Problem, run: Callable[..., Tensor]) -> Variant:
    given = {name: torch.from_numpy(array) for name, array in (problem.learnable | problem.fixed).items()}
    program = problem.own.program
    call = partial(run, step_of(problem), program.inputs, program.fed_back, _states(problem), given)
    return Variant("", call, lambda found: {"output": found.numpy()}, torch.inference_mode)


def training_by(problem: Problem, run: Callable[..., Tensor], dtype: torch.dtype = torch.float32) -> Variant:
    """Forward, backward, and the gradients of the input and of all that is learned."""
    leaves = {name: torch.from_numpy(array).to(dtype).requires_grad_() for name, array in problem.learnable.items()}
    given = leaves | {name: torch.from_numpy(array).to(dtype) for name, array in problem.fixed.items()}
    states, d_output = [state.to(dtype) for state in _states(problem)], torch.from_numpy(problem.d_output).to(dtype)
    cell, program = step_of(problem), problem.own.program

    def call() -> tuple[Tensor, tuple[Tensor, ...]]:
        output = run(cell, program.inputs, program.fed_back, states, given)
        return output, torch.autograd.grad(output, [*leaves.values()], d_output)

    def read(found: tuple[Tensor, tuple[Tensor, ...]]) -> Results:
        output, gradients = found
        named = {f"d_{name}": gradient.numpy() for name, gradient in zip(leaves, gradients, strict=True)}
        return named | {"output": output.detach().numpy()}

    return Variant("", call, read)


def _states(problem: Problem) -> list[Tensor]:
    return [torch.from_numpy(state) for state in problem.carried]
