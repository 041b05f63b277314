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

Compiler = Callable[[Callable[..., Any]], Callable[..., Any]]
compiled: Compiler = numba.njit(fastmath=True)
inlined: Compiler = numba.njit(fastmath=True, inline="always")  # called, a cell takes twice as long


@compiled
def sigma(x: float) -> float:
    return 1 / (1 + math.exp(-x))


@inlined
def of_product(product: Array, k: int, vector: Array) -> Any:
    """Row k of a matrix by a vector, of the product of both."""
    return product[k]


@compiled
def of_matrix(matrix: Array, k: int, vector: Array) -> Any:
    """The same, of the matrix."""
    total = np.float32(0)
    for i in range(len(vector)):
        total += matrix[k, i] * vector[i]
    return total


# A cell makes unit j of h_t, by one of the two, of input (W_ih or its product, and x), of state (W_hh or its product),
# h and c, which is written over.


def _rnn(row: Callable[..., Any]) -> Callable[..., Any]:
    def unit(j: int, of_input: Array, x: Array, of_state: Array, h: Array, c: Array, bias: Array) -> Any:
        return math.tanh(row(of_input, j, x) + row(of_state, j, h) + bias[j])

    return unit


def _gru(row: Callable[..., Any]) -> Callable[..., Any]:
    def unit(j: int, of_input: Array, x: Array, of_state: Array, h: Array, c: Array, bias: Array) -> Any:
        in_z, in_n, apart = len(h) + j, 2 * len(h) + j, 3 * len(h) + j
        r = sigma(row(of_input, j, x) + row(of_state, j, h) + bias[j])
        z = sigma(row(of_input, in_z, x) + row(of_state, in_z, h) + bias[in_z])
        n = math.tanh(row(of_input, in_n, x) + bias[in_n] + r * (row(of_state, in_n, h) + bias[apart]))
        return n + z * (h[j] - n)

    return unit


def _lstm(row: Callable[..., Any]) -> Callable[..., Any]:
    def unit(j: int, of_input: Array, x: Array, of_state: Array, h: Array, c: Array, bias: Array) -> Any:
        in_f, in_g, in_o = len(h) + j, 2 * len(h) + j, 3 * len(h) + j
        i = sigma(row(of_input, j, x) + row(of_state, j, h) + bias[j])
        f = sigma(row(of_input, in_f, x) + row(of_state, in_f, h) + bias[in_f])
        g = math.tanh(row(of_input, in_g, x) + row(of_state, in_g, h) + bias[in_g])
        o = sigma(row(of_input, in_o, x) + row(of_state, in_o, h) + bias[in_o])
        c[j] = f * c[j] + i * g
        return o * math.tanh(c[j])

    return unit


CELLS = {"rnn": _rnn, "gru": _gru, "lstm": _lstm}


@cache
def loops(cell: str, parallel: bool) -> Any:
    """Whole sequences, one beside another."""
    unit = inlined(CELLS[cell](of_matrix))

    def run(x: Array, weight_ih: Array, weight_hh: Array, bias: Array, output: Array) -> None:
        steps, batch, size = output.shape
        for row in numba.prange(batch):
            h, c = np.zeros(size, np.float32), np.zeros(size, np.float32)
            for t in range(steps):
                for j in range(size):
                    output[t, row, j] = unit(j, weight_ih, x[t, row], weight_hh, h, c, bias)
                h = output[t, row]

    return numba.njit(fastmath=True, parallel=parallel)(run)


@cache
def products(cell: str, parallel: bool) -> Any:
    """All sequences at once, step by step; weights are transposed."""
    unit = inlined(CELLS[cell](of_product))

    def run(x: Array, weight_ih: Array, weight_hh: Array, bias: Array, output: Array) -> None:
        steps, batch, size = output.shape
        projected = np.dot(x.reshape(steps * batch, x.shape[2]), weight_ih)
        h, c = np.zeros((batch, size), np.float32), np.zeros((batch, size), np.float32)
        product = np.empty((batch, weight_hh.shape[1]), np.float32)
        for t in range(steps):
            np.dot(h, weight_hh, product)
            for row in numba.prange(batch):
                u, v, h_row, c_row = projected[t * batch + row], product[row], h[row], c[row]
                for j in range(size):
                    h_row[j] = unit(j, u, u, v, h_row, c_row, bias)
            output[t] = h

    return numba.njit(fastmath=True, parallel=parallel)(run)


def inference(problem: Problem, threads: int) -> Iterator[Variant]:
    parallel = threads > 1 and problem.case.shape.batch > 1
    weights, output = (problem.weight_ih, problem.weight_hh), np.empty_like(problem.d_output)
    ways = {"products": (products, [np.ascontiguousarray(weight.T) for weight in weights])}
    if problem.case.flops <= MOST_FLOPS:
        ways["loops"] = loops, list(weights)
    for name, (function, arrays) in ways.items():
        call = partial(function(problem.case.cell, parallel), problem.x, *arrays, problem.bias, output)
        yield Variant(name, call, lambda _: {"output": output})


def step(problem: Problem, threads: int) -> Iterator[Variant]:
    unit = inlined(CELLS[problem.case.cell](of_matrix))

    def run(x: Array, h: Array, weight_ih: Array, weight_hh: Array, bias: Array, out: Array) -> None:
        for j in range(len(out)):
            out[j] = unit(j, weight_ih, x, weight_hh, h, h, bias)

    def run_pair(x: Array, h: Array, c: Array, weight_ih: Array, weight_hh: Array, bias: Array, out: Array) -> None:
        for j in range(len(out)):
            out[j] = unit(j, weight_ih, x, weight_hh, h, c, bias)

    states = [state[0].copy() for state in problem.states]
    output = np.empty_like(problem.d_output)
    given = problem.x[0, 0], *states, problem.weight_ih, problem.weight_hh, problem.bias, output[0, 0]
    call = partial(compiled(run_pair if len(states) > 1 else run), *given)
    yield Variant("loops", call, lambda _: {"output": output})
