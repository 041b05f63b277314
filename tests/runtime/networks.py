"""Networks to test the runtime with, and their equations in plain NumPy; nothing here imports PyTorch."""

import numpy as np

from elman.runtime._network import Network
from elman.runtime._parameters import Sizes
from elman.runtime._recurrent_sizes import RecurrentSizes
from elman.runtime._rnn import class_of, network_of

CELLS = ["tanh", "relu", "gru", "lstm"]


def parameters(
    input_size=4,
    hidden_size=6,
    num_layers=1,
    *,
    cell="tanh",
    bidirectional=False,
    bias=True,
    learned=False,
    dtype="float32",
    seed=0,
) -> dict[str, np.ndarray]:
    """PyTorch's initial weights, by its names; ``hidden_size`` may be a tuple of widths, one a layer."""
    widths = hidden_size if isinstance(hidden_size, tuple) else (hidden_size,) * num_layers
    generator, limit = np.random.default_rng(seed), 1 / np.sqrt(max(widths))
    shapes = Sizes(input_size, widths, bidirectional, bias, class_of(cell).family, learned).shapes()
    return {name: generator.uniform(-limit, limit, shape).astype(dtype) for name, shape in shapes.items()}


def recurrent_parameters(sizes: RecurrentSizes, input_size: int, seed=0) -> dict[str, np.ndarray]:
    """PyTorch's initial weights of the recurrent layers of a model, by its names."""
    generator, limit = np.random.default_rng(seed), 1 / np.sqrt(sizes.hidden_size)
    shapes = sizes.shapes(input_size)
    return {name: generator.uniform(-limit, limit, shape).astype("f") for name, shape in shapes.items()}


def network(*sizes, cell="tanh", batch_first=False, residual=False, **options) -> Network:
    return network_of(cell, parameters(*sizes, cell=cell, **options), batch_first, residual)


def normal(*shape, dtype="float32", seed=0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(dtype)


def each(states) -> tuple[np.ndarray, ...]:
    """h, or h and c."""
    return states if isinstance(states, tuple) else (states,)


def by_the_equations(rnn: Network, x: np.ndarray, initial) -> tuple[np.ndarray, list]:
    """PyTorch's equations in float64 for x (steps, input_size): the output, and the final states as ``initial``.

    These are h, and of an LSTM c, of each layer and direction behind one another.
    """
    x, final = x.astype(float), [[] for _ in initial]
    for layer in range(rnn.num_layers):
        outputs = []
        for suffix in ("", "_reverse")[: 1 + rnn.bidirectional]:
            of = {
                kind: rnn.parameters.get(f"{kind}_l{layer}{suffix}", np.zeros(1)).astype(float)
                for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            }
            states, hidden = [state[len(final[0])].astype(float) for state in initial], []
            for x_t in x[::-1] if suffix else x:
                states = step(rnn.cell, of, x_t, *states)
                hidden.append(states[0])
            for of_all, state in zip(final, states, strict=True):
                of_all.append(state)
            outputs.append(np.array(hidden[::-1] if suffix else hidden))
        read, x = x, np.concatenate(outputs, 1)
        if rnn.residual and layer and read.shape == x.shape:
            x = x + read
    return x, final


def step(cell, of, x_t, h, c=None):
    """The states after a step, from a layer's parameters."""
    u, v = of["weight_ih"] @ x_t + of["bias_ih"], of["weight_hh"] @ h + of["bias_hh"]
    if cell == "gru":
        (u_r, u_z, u_n), (v_r, v_z, v_n) = np.split(u, 3), np.split(v, 3)
        z = sigma(u_z + v_z)
        return [(1 - z) * np.tanh(u_n + sigma(u_r + v_r) * v_n) + z * h]
    if cell == "lstm":
        i, f, g, o = np.split(u + v, 4)
        c = sigma(f) * c + sigma(i) * np.tanh(g)
        return [sigma(o) * np.tanh(c), c]
    return [np.tanh(u + v) if cell == "tanh" else np.maximum(u + v, 0)]


def sigma(a):
    return 1 / (1 + np.exp(-a))
