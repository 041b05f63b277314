"""Loops that numba compiles, as its users write them: nothing but loops, or BLAS at each step.

Called from Python with NumPy arrays.
"""

import math
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import numba
import numpy as np

from elman.bench._problem import Array, Problem
from elman.bench._variant import Variant

MOST_FLOPS = 1e9  # of nothing but loops: beyond, they are far behind


def _advance(x: Array, h: Array, weight_ih: Array, weight_hh: Array, bias: Array, out: Array) -> None:
    """One step of one sequence."""
    for j in range(len(out)):
        a = bias[j]
        for i in range(len(x)):
            a += weight_ih[j, i] * x[i]
        for k in range(len(h)):
            a += weight_hh[j, k] * h[k]
        out[j] = math.tanh(a)


def _loops(x: Array, weight_ih: Array, weight_hh: Array, bias: Array, output: Array) -> None:
    """Whole sequences, one beside another."""
    steps, batch, hidden_size = output.shape
    for row in numba.prange(batch):
        h = np.zeros(hidden_size, np.float32)
        for t in range(steps):
            advance(x[t, row], h, weight_ih, weight_hh, bias, output[t, row])
            h = output[t, row]


def _products(x: Array, weight_ih: Array, weight_hh: Array, bias: Array, output: Array) -> None:
    """All sequences at once, step by step; weights are transposed."""
    steps, batch, hidden_size = output.shape
    projected = np.dot(x.reshape(steps * batch, x.shape[2]), weight_ih)
    h, a = np.zeros((batch, hidden_size), np.float32), np.empty((batch, hidden_size), np.float32)
    for t in range(steps):
        np.dot(h, weight_hh, a)
        for row in numba.prange(batch):
            for j in range(hidden_size):
                h[row, j] = math.tanh(a[row, j] + projected[t * batch + row, j] + bias[j])
        output[t] = h


@cache
def compiled(function: Callable[..., None], parallel: bool) -> Any:
    return numba.njit(fastmath=True, parallel=parallel)(function)


advance = compiled(_advance, False)


def inference(problem: Problem, threads: int) -> Iterator[Variant]:
    parallel = threads > 1 and problem.case.shape.batch > 1
    weights, output = (problem.weight_ih, problem.weight_hh), np.empty_like(problem.d_output)
    ways = {"products": (_products, [np.ascontiguousarray(weight.T) for weight in weights])}
    if problem.case.flops <= MOST_FLOPS:
        ways["loops"] = _loops, list(weights)
    for name, (function, arrays) in ways.items():
        call = partial(compiled(function, parallel), problem.x, *arrays, problem.bias, output)
        yield Variant(name, call, lambda _: {"output": output})


def step(problem: Problem, threads: int) -> Iterator[Variant]:
    output = np.empty_like(problem.d_output)
    given = problem.x[0, 0], problem.h_0[0], problem.weight_ih, problem.weight_hh, problem.bias
    yield Variant("loops", partial(advance, *given, output[0, 0]), lambda _: {"output": output})
