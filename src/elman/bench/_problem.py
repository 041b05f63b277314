"""The numbers of a case, and the right results by the equations in float64, in NumPy alone.

The equations are those of :mod:`elman.reference`.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from elman.bench._cases import Case

__all__ = ["Array", "Problem", "Results", "difference", "draw", "solve"]

Array = NDArray[Any]
Results = dict[str, Array]
TOLERANCE = 1e-4  # of the largest right number: float32 errs by 1e-6, bfloat16 by 1e-2


class Problem(NamedTuple):
    """A case with its numbers, all float32.

    Attributes:
        case: its kind and shape.
        x: (steps, batch, input_size).
        h_0: (batch, hidden_size), zeros but for a single step.
        weight_ih, weight_hh: (hidden_size, input_size), (hidden_size, hidden_size).
        bias_ih, bias_hh: (hidden_size,).
        d_output: (steps, batch, hidden_size), what comes back in training.
    """

    case: Case
    x: Array
    h_0: Array
    weight_ih: Array
    weight_hh: Array
    bias_ih: Array
    bias_hh: Array
    d_output: Array

    @property
    def bias(self) -> Array:
        """Both biases in one."""
        return self.bias_ih + self.bias_hh

    @property
    def parameters(self) -> Results:
        """The parameters by PyTorch's names in a layer."""
        return {f"{name}_l0": getattr(self, name) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}


def draw(case: Case) -> Problem:
    """Draw normal inputs, and weights as PyTorch draws them; always the same ones for a case."""
    random = np.random.default_rng(0)
    steps, batch, input_size, hidden_size = case.shape
    bound = hidden_size**-0.5

    def normal(*shape: int) -> Array:
        return random.standard_normal(shape, np.float32)

    def uniform(*shape: int) -> Array:
        return random.uniform(-bound, bound, shape).astype(np.float32)

    state = normal(batch, hidden_size) if case.kind == "step" else np.zeros((batch, hidden_size), np.float32)
    return Problem(
        case,
        normal(steps, batch, input_size),
        np.tanh(state),
        uniform(hidden_size, input_size),
        uniform(hidden_size, hidden_size),
        uniform(hidden_size),
        uniform(hidden_size),
        normal(steps, batch, hidden_size),
    )


def solve(problem: Problem) -> Results:
    """Return what every contender has to find: ``output`` and, in training, ``d_input`` and those of the parameters.

    ``d_bias`` is the gradient of either bias.
    """
    x, h_0, weight_ih, weight_hh, bias, d_output = (
        array.astype(np.float64)
        for array in (
            problem.x,
            problem.h_0,
            problem.weight_ih,
            problem.weight_hh,
            problem.bias,
            problem.d_output,
        )
    )
    output, h_t = x @ weight_ih.T + bias, h_0
    for step in output:
        h_t = np.tanh(step + h_t @ weight_hh.T)
        step[...] = h_t
    if problem.case.kind != "training":
        return {"output": output}
    d_a, d_h = np.empty_like(output), np.zeros_like(h_0)
    for t in reversed(range(len(x))):
        d_a[t] = (d_output[t] + d_h) * (1 - output[t] ** 2)
        d_h = d_a[t] @ weight_hh
    before = np.concatenate([h_0[None], output[:-1]])
    return {
        "output": output,
        "d_input": d_a @ weight_ih,
        "d_weight_ih": np.tensordot(d_a, x, ((0, 1), (0, 1))),
        "d_weight_hh": np.tensordot(d_a, before, ((0, 1), (0, 1))),
        "d_bias": d_a.sum((0, 1)),
    }


def difference(found: Results, right: Results) -> str | None:
    """Say in what results differ from the right ones; None if they don't."""
    for name, expected in right.items():
        if name not in found:
            return f"{name}: expected, got none"
        values = np.asarray(found[name], np.float64)
        if values.shape[-expected.ndim :] != expected.shape:
            return f"{name}: expected the shape {expected.shape}, got {values.shape}"
        error = np.abs(values - expected).max() / (np.abs(expected).max() or 1.0)
        if not error <= TOLERANCE:
            return f"{name}: expected an error of at most {TOLERANCE:.0e} of the largest number, got {error:.0e}"
    return None
