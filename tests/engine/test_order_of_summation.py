"""The order of every sum, which is part of the library's promise, against an emulation to the last bit.

A relu network, so that nothing but sums is compared.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from elman import _engine
from tests.engine.cases import (
    Array,
    assert_same_bits,
    backward_by_equations,
    case,
    forward_by_equations,
    run,
)

BLOCK = 16  # over inputs and units
CHAIN, CHAINS = 32, 32  # over steps and rows
FUSED = [name for name in _engine.instruction_sets() if name.startswith("avx")]

MultiplyAdd = Callable[[Array, Array, Array], Array]


def fused_multiply_add(a: Array, b: Array, c: Array) -> Array:
    """a * b + c of float32, rounded once.

    The product is exact in float64; the sum is rounded to odd there, so that rounding it again does no harm.
    """
    product, addend = a.astype(float) * b, c.astype(float)
    total = product + addend
    virtual = total - product
    error = (product - (total - virtual)) + (addend - virtual)
    towards = np.nextafter(total, np.copysign(np.inf, error))
    even = total.view(np.int64) % 2 == 0
    return np.where((error != 0) & even, towards, total).astype(np.float32)


def multiply_then_add(a: Array, b: Array, c: Array) -> Array:
    """a * b + c of float32, rounded twice: what a processor without fused multiply-add does."""
    return a * b + c


def in_blocks(multiply_add: MultiplyAdd, a: Array, b: Array, block: int) -> Array:
    """a @ b: consecutive blocks, each a chain from zero in ascending index, added in order."""
    total = np.zeros((len(a), b.shape[1]), np.float32)
    for first in range(0, len(b), block):
        chain = np.zeros_like(total)
        for k in range(first, min(first + block, len(b))):
            chain = multiply_add(a[:, k, None], b[k], chain)
        total += chain
    return total


def product(multiply_add: MultiplyAdd, a: Array, b: Array) -> Array:
    return in_blocks(multiply_add, a, b, BLOCK)


def product_over_rows(multiply_add: MultiplyAdd, a: Array, b: Array) -> Array:
    """Chains of 32, 32 chains to a group, the groups added in order."""
    total = np.zeros((len(a), b.shape[1]), np.float32)
    for first in range(0, len(b), CHAIN * CHAINS):
        rows = slice(first, first + CHAIN * CHAINS)
        total += in_blocks(multiply_add, a[:, rows], b[rows], CHAIN)
    return total


def sum_over_rows(deltas: Array) -> Array:
    """Each group of rows with its rounding errors carried along, the groups added in order."""
    total = np.zeros(deltas.shape[1], np.float32)
    for first in range(0, len(deltas), CHAIN * CHAINS):
        group, error = np.zeros_like(total), np.zeros_like(total)
        for delta in deltas[first : first + CHAIN * CHAINS]:
            before, group = group, group + delta
            added = group - before
            error += (before - (group - added)) + (delta - added)
        total += group + error
    return total


def test_the_emulation_rounds_once():
    # 2^24 + 1 + 2^-48: the product alone decides the tie, which a sum rounded in float64 first would lose
    a, c = np.float32([1 + 2**-12, 2**-24]), np.float32([2**24, 1 + 2**-23])
    assert fused_multiply_add(a, np.float32([1, 1 + 2**-23]), c).tolist() == [2**24 + 2, 1 + 2**-22]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    ("sizes", "batch_sizes"),
    [
        ((37, 50), [3] * 4),
        ((16, 33), [1] * 4),
        ((3, 5), [1] * 1100),
        ((5, 3), [7] * 310),
        ((2, 3), [1100, 40, 40, *[9] * 110]),
    ],
)
def test_every_sum_is_taken_in_the_documented_order(level, sizes, batch_sizes, reverse):
    multiply_add = multiply_then_add if level == "x86-64" else fused_multiply_add
    this = case(*sizes, 0, 0, relu=True, reverse=reverse, batch_sizes=batch_sizes)
    results = run(this, threads=2)
    output, final = forward_by_equations(this, partial(product, multiply_add))
    expected = {"output": output, "final_state": final}
    products = (partial(function, multiply_add) for function in (product, product_over_rows))
    expected |= backward_by_equations(this, output, *products, sum_over_rows)
    assert output.any()
    assert_same_bits(results, expected)


@pytest.mark.skipif(len(FUSED) < 2, reason="this machine has one instruction set with fused multiply-add, not two")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("sizes", [(1, 1), (21, 35), (64, 64), (70, 17)])
def test_any_width_of_vectors(dtype, relu, sizes):
    this = case(*sizes, 40, 30, dtype=dtype, relu=relu)
    before, results = _engine.instruction_set(), []
    try:
        for name in FUSED:
            _engine.use_instruction_set(name)
            results.append(run(this))
    finally:
        _engine.use_instruction_set(before)
    for other in results[1:]:
        assert_same_bits(other, results[0])
