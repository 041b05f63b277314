"""Networks to test the runtime with, and their equations in plain NumPy; nothing here imports PyTorch."""

import numpy as np

import elman
from elman.runtime._parameters import Sizes


def parameters(
    input_size=4, hidden_size=6, num_layers=1, *, bidirectional=False, bias=True, dtype="float32", seed=0
) -> dict[str, np.ndarray]:
    """PyTorch's initial weights, by its names."""
    generator, limit = np.random.default_rng(seed), 1 / np.sqrt(hidden_size)
    shapes = Sizes(input_size, hidden_size, num_layers, bidirectional, bias).shapes()
    return {name: generator.uniform(-limit, limit, shape).astype(dtype) for name, shape in shapes.items()}


def network(*sizes, nonlinearity="tanh", batch_first=False, **options) -> elman.runtime.RNN:
    return elman.runtime.RNN(parameters(*sizes, **options), nonlinearity, batch_first)


def normal(*shape, dtype="float32", seed=0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(dtype)


def by_the_equations(rnn: elman.runtime.RNN, x: np.ndarray, h_0: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """a_t = W_ih x_t + b_ih + W_hh h_{t-1} + b_hh, h_t = f(a_t) in float64, for x (steps, input_size)."""
    f = np.tanh if rnn.nonlinearity == "tanh" else lambda a: np.maximum(a, 0)
    x, final_states = x.astype(float), []
    for layer in range(rnn.num_layers):
        outputs = []
        for suffix in ("", "_reverse")[: 1 + rnn.bidirectional]:
            of = {
                kind: rnn.parameters.get(f"{kind}_l{layer}{suffix}", np.zeros(1)).astype(float)
                for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            }
            h, states = h_0[len(final_states)].astype(float), []
            for x_t in x[::-1] if suffix else x:
                h = f(of["weight_ih"] @ x_t + of["bias_ih"] + of["weight_hh"] @ h + of["bias_hh"])
                states.append(h)
            final_states.append(h)
            outputs.append(np.array(states[::-1] if suffix else states))
        x = np.concatenate(outputs, 1)
    return x, np.array(final_states)
