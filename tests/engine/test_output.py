"""Pooling over steps and softmax, against NumPy in a wider format."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman import _engine
from tests.engine.cases import ragged

dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])
seeds = st.integers(0, 99)


def pool(states, batch_sizes):
    pooled = np.full((batch_sizes[0], 2 * states.shape[1]), np.nan, states.dtype)
    _engine.pool(states, np.array(batch_sizes, np.int64), pooled)
    return pooled


def sequences(states, batch_sizes):
    """The rows of each sequence of a packed batch."""
    starts = np.cumsum([0, *batch_sizes[:-1]])
    return [
        states[[start + row for start, size in zip(starts, batch_sizes, strict=True) if row < size]]
        for row in range(batch_sizes[0])
    ]


@dtypes
@settings(max_examples=60)
@given(lengths=st.lists(st.integers(1, 30), min_size=1, max_size=8), features=st.integers(1, 20), seed=seeds)
def test_pooling_is_the_largest_and_the_mean_of_each_sequence(dtype, lengths, features, seed):
    batch_sizes = ragged(lengths)
    states = np.random.default_rng(seed).standard_normal((sum(lengths), features)).astype(dtype)
    pooled = pool(states, batch_sizes)
    for row, own in zip(pooled, sequences(states, batch_sizes), strict=True):
        assert (row[:features] == own.max(0)).all()
        sums = np.zeros(features)
        for step in own:
            sums = sums + step
        assert (row[features:] == (sums / len(own)).astype(dtype)).all()
        # and so the same bits alone
        assert (pool(np.ascontiguousarray(own), [1] * len(own))[0] == row).all()


@dtypes
def test_nan_shows_in_what_its_sequence_comes_to_and_nowhere_else(dtype):
    states = np.arange(10, dtype=dtype).reshape(5, 2)
    states[2, 0] = np.nan  # the first sequence's second step
    pooled = pool(states, [2, 2, 1])
    assert np.isnan(pooled[0]).tolist() == [True, False, True, False]
    assert not np.isnan(pooled[1]).any()


@dtypes
@settings(max_examples=60)
@given(
    rows=st.integers(0, 5),
    classes=st.integers(1, 40),
    scale=st.sampled_from([1e-30, 1.0, 30.0, 1e4]),
    seed=seeds,
)
def test_softmax(dtype, rows, classes, scale, seed):
    scores = (np.random.default_rng(seed).standard_normal((rows, classes)) * scale).astype(dtype)
    wide = scores.astype(np.longdouble)
    wide = wide - wide.max(1, keepdims=True)
    sums = np.exp(wide).sum(1, keepdims=True)
    eps = np.finfo(dtype).eps
    probabilities, logarithms = np.full_like(scores, np.nan), np.full_like(scores, np.nan)
    _engine.softmax(scores, probabilities)
    _engine.softmax(scores, logarithms, True)
    of_double = 60 * np.finfo(float).eps
    assert (np.abs(probabilities - np.exp(wide) / sums) <= (0.51 * eps + of_double) * np.exp(wide) / sums + 1e-45).all()
    expected = wide - np.log(sums)
    assert (np.abs(logarithms - expected) <= 0.51 * eps * np.abs(expected) + of_double).all()
    over = scores.copy()
    _engine.softmax(over, over)
    assert over.tobytes() == probabilities.tobytes()
    for row, alone in zip(probabilities, scores, strict=True):
        single = np.empty((1, classes), dtype)
        _engine.softmax(alone[None], single)
        assert single[0].tobytes() == row.tobytes()


@dtypes
def test_softmax_of_what_is_not_finite(dtype):
    infinity = np.inf
    scores = np.array([[infinity, 0, 1], [-infinity, 0, 0], [-infinity] * 3, [np.nan, 0, 1]], dtype)
    probabilities, logarithms = np.empty_like(scores), np.empty_like(scores)
    _engine.softmax(scores, probabilities)
    _engine.softmax(scores, logarithms, True)
    assert np.isnan(probabilities[[0, 2, 3]]).all()
    assert probabilities[1].tolist() == [0, 0.5, 0.5]
    assert logarithms[1].tolist() == [-infinity, *np.full(2, np.log(0.5), dtype).tolist()]


@dtypes
def test_exponentials_over_their_whole_range(dtype):
    # with one score at 0 and no other near it, a probability is the exponential itself
    below = -np.concatenate([np.linspace(20, 760, 4001), np.linspace(104, 106, 300)])
    scores = np.stack([np.zeros_like(below), below], 1).astype(dtype)
    probabilities = np.empty_like(scores)
    _engine.softmax(scores, probabilities)
    expected = np.exp(scores[:, 1].astype(np.longdouble)) / (1 + np.exp(scores[:, 1].astype(np.longdouble)))
    tiny = np.finfo(dtype).smallest_subnormal
    assert (np.abs(probabilities[:, 1] - expected) <= 4 * np.finfo(dtype).eps * expected + tiny).all()


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="batch_sizes: expected a sum of as many as there are rows"):
        _engine.pool(np.zeros((3, 2), "f"), np.array([2, 2]), np.zeros((2, 4), "f"))
    with pytest.raises(ValueError, match="pooled: expected room"):
        _engine.pool(np.zeros((4, 2), "f"), np.array([2, 2]), np.zeros((2, 3), "f"))
    with pytest.raises(ValueError, match="softmax: expected two arrays of one shape"):
        _engine.softmax(np.zeros((3, 2), "f"), np.zeros((2, 3), "f"))
