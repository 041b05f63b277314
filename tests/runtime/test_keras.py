"""Networks of Keras on the runtime.

What Keras itself computes stands in ``keras_layers.json``: layers whose weights are ``wave`` of their sizes, as Keras
3.15.1 ran them.
"""

import copy
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

import elman
from elman import InputError


def simple_rnn(weights, x, activation):
    """Keras's SimpleRNN over (batch, steps, input) in plain NumPy: h = f(x K + h R + b)."""
    kernel, recurrent, *bias = (array.astype(float) for array in weights)
    h, outputs = np.zeros((len(x), len(recurrent))), []
    for x_t in x.swapaxes(0, 1):
        h = activation(x_t @ kernel + h @ recurrent + (bias[0] if bias else 0))
        outputs.append(h)
    return np.stack(outputs, 1)


def keras_weights(input_size, units, bias):
    shapes = [(input_size, units), (units, units), (units,)][: 3 if bias else 2]
    return [np.random.default_rng(i).standard_normal(shape).astype("f") / 3 for i, shape in enumerate(shapes)]


def gated(gates, kernel=None, bias=None):
    """A layer of 6 units that read 4 features, all zeros."""
    shapes = [kernel or (4, 6 * gates), (6, 6 * gates), bias or (6 * gates,)]
    return [np.zeros(shape, "f") for shape in shapes]


def wave(size, start):
    return np.sin(np.arange(size) * 1.7 + start)


LAYERS = json.loads((Path(__file__).parent / "keras_layers.json").read_text())
X = wave(12, 0.3).reshape(2, 3, 2).astype("f")


def as_keras_has_it(name):
    """The weights of a layer, the keyword arguments that they do not say, and its output over X."""
    weights = [wave(np.prod(shape), i).reshape(shape).astype("f") for i, shape in enumerate(LAYERS[name]["shapes"])]
    options = {"reset_after": False} if "use_bias=False" in name else {}
    return weights, options, np.array(LAYERS[name]["output"]).reshape(*X.shape[:2], -1)


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_what_keras_makes_of_it(name):
    weights, options, expected = as_keras_has_it(name)
    network = elman.runtime.from_keras(weights, **options)
    assert isinstance(network, getattr(elman.runtime, next(t for t in ("RNN", "GRU", "LSTM") if t in name)))
    np.testing.assert_allclose(network(X)[0], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        elman.runtime.from_keras(weights, batch_first=False, **options)(X.swapaxes(0, 1))[0].swapaxes(0, 1),
        expected,
        rtol=1e-5,
        atol=1e-6,
    )


def test_a_gru_with_the_reset_first_is_a_network_as_others_are(tmp_path):
    weights, _, expected = as_keras_has_it("GRU reset_after=False")
    gru, close = elman.runtime.from_keras(weights), {"rtol": 1e-5, "atol": 1e-6}
    assert repr(gru) == "GRU(2, 2, batch_first=True, reset_after=False, float32)"
    for twin in (gru, copy.deepcopy(gru), pickle.loads(pickle.dumps(gru))):
        np.testing.assert_allclose(twin(X)[0], expected, **close)
    _, state = gru(X[:, :2])
    np.testing.assert_allclose(gru(X[:, 2:], state, out=np.empty((2, 1, 2), "f"))[0], expected[:, 2:], **close)
    ragged, h_n = gru(X, lengths=[3, 2])
    np.testing.assert_allclose(ragged[1], [*expected[1, :2], [0, 0]], **close)
    np.testing.assert_allclose(h_n[0], [expected[0, 2], expected[1, 1]], **close)
    np.testing.assert_allclose(gru(X[0])[0], expected[0], **close)
    stream, alone = gru.stream(2), gru.stream()
    for t in range(3):
        out = np.empty((2, 2), "f")
        assert stream.step(X[:, t].tolist(), out=out) is out
        np.testing.assert_allclose(out, expected[:, t], **close)
        np.testing.assert_allclose(alone.step(X[0, t]), expected[0, t], **close)
        stream = stream.copy()
    np.testing.assert_allclose(stream.state[0], expected[:, 2], **close)
    with pytest.raises(InputError, match="x_t: expected the shape"):
        stream.step(X[0, 0])
    stream.reset([1])
    assert (stream.state[0, 1] == 0).all()
    with pytest.raises(InputError, match="network: expected a GRU whose reset gate comes after the product, got"):
        elman.save(gru, tmp_path / "gru")
    both = [weights, weights]
    outputs = gru(gru(X)[0])[0]
    np.testing.assert_allclose(elman.runtime.from_keras(both)(X)[0], outputs, **close)
    saturated = elman.runtime.from_keras([1e4 * array for array in weights])(X)[0]
    assert np.isfinite(saturated).all()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("LSTM", {"reset_after": True}, "reset_after: expected None for an LSTM, got True"),
        ("SimpleRNN", {"reset_after": False}, "reset_after: expected None for an RNN, got False"),
        ("GRU", {"reset_after": False}, "reset_after: expected True, as the shape of the bias says, got False"),
        ("GRU reset_after=False", {"reset_after": True}, "reset_after: expected False, as the shape of the bias says"),
        ("GRU", {"reset_after": 1}, "reset_after: expected None, True or False, got 1"),
        ("GRU", {"nonlinearity": "relu"}, "nonlinearity: expected 'tanh' for a GRU, got 'relu'"),
        ("LSTM", {"nonlinearity": "relu"}, "nonlinearity: expected 'tanh' for an LSTM, got 'relu'"),
        ("SimpleRNN", {"nonlinearity": "elu"}, "nonlinearity: expected 'tanh' or 'relu', got 'elu'"),
    ],
)
def test_arguments_that_contradict_a_layer_are_refused(name, options, message):
    with pytest.raises(InputError, match=message):
        elman.runtime.from_keras(as_keras_has_it(name)[0], **options)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_keras_weights(bias, activation):
    f = {"tanh": np.tanh, "relu": lambda a: np.maximum(a, 0)}[activation]
    x, weights = np.random.default_rng(9).standard_normal((3, 5, 4)).astype("f"), keras_weights(4, 6, bias)
    rnn = elman.runtime.from_keras(weights, activation)
    np.testing.assert_allclose(rnn(x)[0], simple_rnn(weights, x, f), rtol=1e-5, atol=1e-6)
    stack = [weights, keras_weights(6, 6, bias)]
    expected = simple_rnn(stack[1], simple_rnn(stack[0], x, f), f)
    np.testing.assert_allclose(elman.runtime.from_keras(stack, activation)(x)[0], expected, rtol=1e-5, atol=1e-5)
    back = [array[::-1].copy() for array in weights]
    both = elman.runtime.from_keras([*weights, *back], activation)(x)[0]
    reverse = simple_rnn(back, x[:, ::-1], f)[:, ::-1]
    expected = np.concatenate([simple_rnn(weights, x, f), reverse], -1)
    np.testing.assert_allclose(both, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([], "weights: expected 2 or 3 arrays a layer, or 4 or 6 in two directions, got 0"),
        (keras_weights(4, 6, True) * 3, "weights: expected 2 or 3 arrays a layer, .*, got 9"),
        ([keras_weights(4, 6, True), keras_weights(6, 6, False)], "weights: expected 2 or 3 arrays .*, got 3, 2"),
        ([np.zeros((4, 6)), np.zeros((6, 6)), np.zeros((2, 6))], r"weights\[2\]: expected the shape \(6,\), got"),
        ([np.zeros((4, 6), "f"), np.zeros((5, 6), "f")], r"weights\[1\]: expected the shape \(6, 6\), got \(5, 6\)"),
        ([np.zeros((4, 19), "f"), np.zeros((6, 18), "f")], r"reset_after: expected True or False for a GRU without"),
        (gated(3, bias=(1, 18)), r"weights\[2\]: expected the shape \(2, 18\), got \(1, 18\)"),
        (gated(3, bias=(36,)), r"weights\[2\]: expected the shape \(18,\), got \(36,\)"),  # a CuDNNGRU's
        (gated(4, bias=(2, 24)), r"weights\[2\]: expected the shape \(24,\), got \(2, 24\)"),
        (gated(4, kernel=(4, 23)), r"weights\[0\]: expected the shape \(input_size, 4 \* units\), got \(4, 23\)"),
        (gated(4, kernel=(4,)), r"weights\[0\]: expected the shape \(input_size, 4 \* units\), got \(4,\)"),
        (
            gated(4) + gated(3, bias=(2, 18)),
            r"weights\[3\]: expected the shape \(input_size, 4 \* units\), got \(4, 18\)",
        ),
        ([gated(4), gated(4)], r"weight_ih_l1: expected the shape \(24, 6\), got \(24, 4\)"),
        (
            [gated(4), keras_weights(6, 6, True)],
            r"weights\[1\]\[0\]: expected the shape \(input_size, 4 \* units\), got",
        ),
    ],
)
def test_what_is_no_keras_layer_is_refused(weights, message):
    with pytest.raises(InputError, match=message):
        elman.runtime.from_keras(weights)
