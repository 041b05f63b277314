"""The logistic function through the update gate of a GRU of one unit: with h_0 = 1 and n = 0, h_1 = z = sigma(x)."""

import subprocess

import numpy as np
import pytest

from tests.engine.cases import Array
from tests.engine.compiler import COMPILER, FLAGS, ROOT
from tests.engine.gated import gated_case, run
from tests.engine.test_tanh import floats

pytestmark = pytest.mark.usefixtures("level")
dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


def sigma(x: Array) -> Array:
    this = gated_case("gru", 1, 1, 1, len(x), dtype=x.dtype.name, given=False)
    this.input_weights[:, 0], this.recurrent_weights[:], this.input[:] = [0, 1, 0], 0, x[:, None]
    this.initial_state = np.ones((len(x), 1), x.dtype)
    return run(this, keep=False)["output"].ravel()


def sigma_of_bias(x: float, dtype: str) -> Array:
    """What is not finite spoils the other gates where it comes as input."""
    this = gated_case("gru", 1, 1, 1, 1, dtype=dtype, given=False)
    this.input_weights[:], this.recurrent_weights[:] = 0, 0
    this.input_bias, this.initial_state = np.array([0, x, 0], dtype), np.ones((1, 1), dtype)
    return run(this, keep=False)["output"]


def worst_error(x: Array, y: Array) -> float:
    """In units in the last place of the exact result, whose small values are as exact as its large ones."""
    longer = x.astype(float if x.dtype == np.float32 else np.longdouble)
    decay = np.exp(-np.abs(longer))
    expected = np.where(longer < 0, decay / (1 + decay), 1 / (1 + decay))
    info = np.finfo(x.dtype)
    exponents = np.maximum(np.frexp(expected)[1] - 1, info.minexp)
    return float(
        (np.abs(y.astype(longer.dtype) - expected) / np.ldexp(np.ones_like(expected), exponents - info.nmant)).max()
    )


def around_boundaries(dtype: str) -> Array:
    """Neighbours around where the argument is reduced otherwise, where results are no longer normal, and the ends."""
    ends = [87.3365, 88.7, 103.97, 104] if dtype == "float32" else [708.396, 709.8, 745.13, 746]
    places = [(k + 0.5) * np.log(2) for k in range(0, 150, 7)] + ends
    reach = 200 * np.finfo(dtype).eps
    return np.concatenate([floats(place * (1 - reach), place * (1 + reach), 1, dtype) for place in places])


def test_float32_is_off_by_less_than_a_unit_in_the_last_place():
    x = np.concatenate([floats(1e-30, 110, 3001, "float32"), around_boundaries("float32")])
    assert len(x) > 300_000
    assert worst_error(x, sigma(x)) <= 1
    assert worst_error(-x, sigma(-x)) <= 1


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(COMPILER is None, reason="needs a compiler")
def test_every_float32(level, tmp_path):
    vector_bytes, flags = FLAGS.get(level, FLAGS["baseline"])
    program = tmp_path / "sigma_errors"
    options = ["-std=c++20", "-O3", "-w", "-ffp-contract=off", "-fno-math-errno", *flags]
    files = [f"-I{ROOT / 'engine'}", ROOT / "tests/engine/sigma_errors.cpp", "-o", program]
    subprocess.run(
        [COMPILER, *options, f"-DELMAN_VECTOR_BYTES={vector_bytes}", *map(str, files)], check=True, timeout=300
    )
    printed = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    worst, where, numbers, others = printed.split()
    assert float(worst) <= 1 - 1e-6, where
    assert int(numbers) == 0, "NaN became a number"
    assert int(others) == 0, "passes gave other bits"


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 60, reason="needs a longer float")
def test_float64_is_off_by_less_than_a_unit_in_the_last_place():
    x = np.concatenate([floats(1e-8, 750, 2_000_000_000_003, "float64"), around_boundaries("float64")])
    assert len(x) > 50_000
    assert worst_error(x, sigma(x)) <= 1
    assert worst_error(-x, sigma(-x)) <= 1


@dtypes
def test_the_ends(dtype):
    x = np.array([1000, np.finfo(dtype).max], dtype)
    assert (sigma(x) == 1).all()
    assert (sigma(-x) == 0).all()
    assert (sigma(np.array([0, -0.0], dtype)) == 0.5).all()
    assert sigma_of_bias(np.inf, dtype) == 1
    assert sigma_of_bias(-np.inf, dtype) == 0
    assert np.isnan(sigma_of_bias(np.nan, dtype))
    smallest = np.array([-103.9 if dtype == "float32" else -745], dtype)
    assert 0 < sigma(smallest) < np.finfo(dtype).tiny
