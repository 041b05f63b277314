"""Values and sequences at the edge: NaN, infinity, denormals, flush to zero, no rows, sequences that cannot be."""

import ctypes
import ctypes.util
import platform
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from tests.engine.cases import (
    BACKWARD,
    FORWARD,
    Case,
    address,
    assert_same_bits,
    backward,
    backward_by_equations,
    case,
    exact,
    forward,
    forward_by_equations,
    run,
)

pytestmark = pytest.mark.usefixtures("level")
dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


@dtypes
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", ["input", "initial_state", "d_output", "d_final_state"])
def test_nan_and_infinity_go_where_the_equations_carry_them(dtype, relu, value, place):
    this = case(21, 19, 4, 9, dtype=dtype, relu=relu)
    clean = run(this)
    array = getattr(this, place)
    array[(*(1,) * (array.ndim == 3), 5, 3)] = value
    results = run(this)
    with np.errstate(invalid="ignore"):
        output, final = forward_by_equations(exact(this))
        expected = {"output": output, "final_state": final}
        expected |= backward_by_equations(exact(this), results["output"].astype(float))
    for name, result in results.items():
        for kind in (np.isnan, np.isposinf, np.isneginf):
            assert np.array_equal(kind(result), kind(expected[name])), (name, kind)
    others = np.arange(9) != 5
    for name in ("output", "d_input", "final_state", "d_initial_state"):
        rows = (..., others, slice(None))
        assert_same_bits({name: results[name][rows]}, {name: clean[name][rows]})


@dtypes
def test_an_infinite_gradient_stops_at_a_relu_that_is_off(dtype):
    this = case(4, 33, 1, 3, dtype=dtype, relu=True)
    output, _ = forward(this)
    assert (output == 0).any()
    this.d_output[output == 0] = np.inf
    this.d_output[output != 0] = 1
    this.d_final_state[:] = 0
    expected = (output > 0).astype(dtype).sum((0, 1))
    assert_same_bits(backward(this, output, wanted=("d_bias",)), {"d_bias": expected})


def tiny(dtype: str, batch: int, steps: int, size: int) -> Case:
    """Every result is a denormal number: powers of two, each unit with one input and no past."""
    this = case(size, size, steps, batch, dtype=dtype, relu=True, biases=False, initial_state=False)
    smallest = np.finfo(dtype).smallest_subnormal
    this.input[:] = 16 * smallest
    this.input_weights[:], this.recurrent_weights[:] = np.eye(size) / 2, 0
    this.d_output[:], this.d_final_state[:] = 8 * smallest, 0
    return this


def assert_tiny(this: Case, results: dict[str, np.ndarray], factor: int) -> None:
    """Denormals where ``factor`` is 1, zeros where it is 0."""
    smallest = np.finfo(this.dtype).smallest_subnormal * factor
    assert (results["output"] == 8 * smallest).all()
    assert (results["d_input"] == 4 * smallest).all()


@dtypes
def test_denormal_numbers_are_kept(dtype):
    this = tiny(dtype, batch=5, steps=3, size=17)
    assert_tiny(this, run(this), 1)
    this.relu = False
    assert (forward(this)[0] == 8 * np.finfo(dtype).smallest_subnormal).all()


@contextmanager
def flush_to_zero() -> Iterator[None]:
    """In this thread alone, as torch.set_flush_denormal does it."""
    mathematics = ctypes.CDLL(ctypes.util.find_library("m"))
    before, flushing = ctypes.create_string_buffer(32), ctypes.create_string_buffer(32)
    assert mathematics.fegetenv(before) == 0
    mathematics.fegetenv(flushing)
    register = ctypes.c_uint32.from_buffer(flushing, 28)
    register.value |= 0x8040
    try:
        assert mathematics.fesetenv(flushing) == 0
        yield
    finally:
        mathematics.fesetenv(before)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="sets the control register of x86-64")
@dtypes
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_threads_flush_to_zero_when_their_caller_does_and_only_then(dtype, threads):
    this = tiny(dtype, batch=60, steps=20, size=40)
    normal = run(this, threads)
    with flush_to_zero():
        flushed = run(this, threads)
    after = run(this, threads)
    assert_tiny(this, normal, 1)
    assert_tiny(this, flushed, 0)
    assert_tiny(this, after, 1)


@dtypes
@pytest.mark.parametrize("threads", [1, 2])
def test_no_rows(dtype, threads):
    this = case(5, 7, 3, 0, dtype=dtype)
    output, final = forward(this, threads)
    gradients = backward(this, output, threads)
    assert (output.size, final.size, gradients["d_input"].size, gradients["d_initial_state"].size) == (0, 0, 0, 0)
    for name in ("d_input_weights", "d_recurrent_weights", "d_bias"):
        assert not gradients[name].any(), name


@pytest.mark.parametrize("threads", [-1, 0, 1, 1000])
def test_any_number_of_threads_will_do(threads):
    this = case(40, 40, 5, 9)
    assert_same_bits(run(this, threads), run(this))


@dtypes
@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize(
    ("steps", "batch", "batch_sizes", "message"),
    [
        (0, 3, None, "steps: expected at least 1, got 0"),
        (2, -1, None, "batch: expected at least 0, got -1"),
        (2, 3, [2, 2], "batch_sizes[0]: expected 3, got 2"),
        (2, 3, [4, 2], "batch_sizes[0]: expected 3, got 4"),
        (3, 3, [3, 2, 3], "batch_sizes[2]: expected from 1 to 2, got 3"),
        (3, 3, [3, 0, 0], "batch_sizes[1]: expected from 1 to 3, got 0"),
        (2, 3, [3, -1], "batch_sizes[1]: expected from 1 to 3, got -1"),
    ],
)
def test_a_sequence_that_cannot_be_is_refused(dtype, direction, steps, batch, batch_sizes, message):
    sizes = None if batch_sizes is None else np.array(batch_sizes, np.int64)
    sequence = (False, 1, steps, batch, address(sizes), False, 2, 3)
    call, rest = (FORWARD, (0,) * 13) if direction == "forward" else (BACKWARD, (0,) * 18 + (False,) + (0,) * 4)
    with pytest.raises(ValueError, match="expected") as caught:
        call[dtype](*sequence, *rest)
    assert str(caught.value) == message
