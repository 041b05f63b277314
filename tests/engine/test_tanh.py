"""tanh through a network of one unit with a weight of one."""

import numpy as np
import pytest

from tests.engine.cases import Array, case, forward

pytestmark = pytest.mark.usefixtures("level")
dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])
SATURATED = {"float32": 9.02, "float64": 19.1}


def tanh(x: Array) -> Array:
    this = case(1, 1, 1, len(x), dtype=x.dtype.name, biases=False, initial_state=False)
    this.input_weights[:], this.recurrent_weights[:], this.input[:] = 1, 0, x[:, None]
    return forward(this)[0].ravel()


def floats(first: float, last: float, every: int, dtype: str) -> Array:
    """Neighbours in the format, or every so many of them."""
    kind = np.int32 if dtype == "float32" else np.int64
    begin, end = np.array([first, last], dtype).view(kind).tolist()
    return np.arange(begin, end, every, kind).view(dtype)


def boundaries(dtype: str) -> list[Array]:
    """Neighbours around where the argument is reduced otherwise, where tanh saturates, and around one."""
    places = [(k + 0.5) * np.log(2) / 2 for k in range(28)]
    around = [*places, 1, SATURATED[dtype], 10, 20]
    reach = 3000 * np.finfo(dtype).eps
    return [floats(place * (1 - reach), place * (1 + reach), 1, dtype) for place in around]


def worst_error(x: Array, y: Array, expected: Array) -> float:
    """In units in the last place of the exact result."""
    unit = np.ldexp(np.ones_like(expected), np.frexp(expected)[1] - np.finfo(x.dtype).nmant - 1)
    return float((np.abs(y.astype(expected.dtype) - expected) / unit).max())


def test_float32_is_off_by_little_more_than_half_a_unit_in_the_last_place():
    x = np.concatenate([floats(1e-30, 11, 1009, "float32"), *boundaries("float32")])
    assert len(x) > 800_000
    assert worst_error(x, tanh(x), np.tanh(x.astype(float))) <= 0.55


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_float32():
    infinity = int(np.array(np.inf, np.float32).view(np.int32))
    for begin in range(0, infinity + 1, 1 << 22):
        x = np.arange(begin, min(begin + (1 << 22), infinity + 1), dtype=np.int32).view(np.float32)
        y = tanh(x)
        assert worst_error(x, y, np.tanh(x.astype(float))) <= 0.55, x[0]
        assert (np.diff(y) >= 0).all(), x[0]
        assert np.array_equal(tanh(-x), -y), x[0]


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 60, reason="needs a longer float")
def test_float64_is_off_by_less_than_a_unit_in_the_last_place():
    x = np.concatenate([floats(1e-8, 20, 2_000_000_000_003 // 2, "float64"), *boundaries("float64")])
    assert len(x) > 100_000
    assert worst_error(x, tanh(x), np.tanh(x.astype(np.longdouble))) < 0.75


@dtypes
def test_odd_symmetry(dtype):
    x = np.concatenate([floats(1e-30, 11, 20011 if dtype == "float32" else 10**14 + 7, dtype), *boundaries(dtype)])
    assert np.array_equal(tanh(-x), -tanh(x))


@dtypes
def test_saturation(dtype):
    largest = np.finfo(dtype).max
    x = np.array([SATURATED[dtype], 20, 40, 100, 1e30, largest, np.inf], dtype)
    assert (tanh(x) == 1).all()
    assert (tanh(-x) == -1).all()
    below_one = np.array([SATURATED[dtype] - 0.05], dtype)
    assert tanh(below_one) < 1
    assert np.isnan(tanh(np.array([np.nan], dtype))).all()


@dtypes
def test_small_arguments_are_their_own_tanh(dtype):
    smallest = np.finfo(dtype).smallest_subnormal
    x = np.array([0, smallest, 3 * smallest, np.finfo(dtype).tiny, 1e-30, 1e-20, 1e-12], dtype)
    assert np.array_equal(tanh(x), x)


@dtypes
def test_monotone_around_boundaries(dtype):
    for x in boundaries(dtype):
        y = tanh(x)
        assert (np.diff(y) >= 0).all(), x[0]
        assert (y <= 1).all()
