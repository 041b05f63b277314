"""Networks of Keras on the runtime."""

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
        ([np.zeros((4, 6)), np.zeros((6, 6)), np.zeros((2, 6))], r"weights\[2\]: expected 1 dimensions, got the shape"),
        ([np.zeros((4, 6), "f"), np.zeros((5, 6), "f")], r"weight_hh_l0: expected the shape \(6, 6\), got \(6, 5\)"),
    ],
)
def test_what_is_no_keras_layer_is_refused(weights, message):
    with pytest.raises(InputError, match=message):
        elman.runtime.from_keras(weights)
