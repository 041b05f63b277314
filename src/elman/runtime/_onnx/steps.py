"""One step of each recurrent operator, on NumPy: with what the engine has no kernel for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from elman.runtime._arrays import Array
from elman.runtime._states import States

__all__ = ["Activations", "gru_step", "lstm_step", "rnn_step"]

Activations = Sequence[Callable[[Array], Array]]

# All take u (batch, gates * hidden_size), which is W_ih x_t + b_ih; the states before the step, (batch, hidden_size)
# each; weight_hh (gates * hidden_size, hidden_size) and bias_hh (gates * hidden_size,); gates in PyTorch's order. They
# return the states after the step.


def rnn_step(u: Array, states: States, weight_hh: Array, bias_hh: Array, activations: Activations) -> States:
    """``h_t = f(u + W h + b)``."""
    (h,), (f,) = states, activations
    return (f(u + (h @ weight_hh.T + bias_hh)),)


def gru_step(
    u: Array, states: States, weight_hh: Array, bias_hh: Array, activations: Activations, *, linear_before_reset: bool
) -> States:
    """``r, z = f(u + W h + b)``, ``n = g(u_n + r (W_n h + b_n))``, ``h_t = (1 - z) n + z h``.

    Without ``linear_before_reset``, as in the paper, ``n = g(u_n + W_n (r h) + b_n)``.
    """
    (h,), (f, g) = states, activations
    both = 2 * h.shape[1]
    r, z = np.split(f(u[:, :both] + (h @ weight_hh[:both].T + bias_hh[:both])), 2, axis=1)
    weight_n, bias_n = weight_hh[both:].T, bias_hh[both:]
    v_n = r * (h @ weight_n + bias_n) if linear_before_reset else (r * h) @ weight_n + bias_n
    n = g(u[:, both:] + v_n)
    return ((1 - z) * n + z * h,)


def lstm_step(
    u: Array,
    states: States,
    weight_hh: Array,
    bias_hh: Array,
    activations: Activations,
    *,
    input_forget: bool,
    peepholes: Array | None,
) -> States:
    """``i, f, o = f(u + W h + b)``, ``c_t = f c + i g(u_g + W_g h + b_g)``, ``h_t = o h(c_t)``.

    Args:
        input_forget: f is 1 - i.
        peepholes: (3, hidden_size), by which i, o and f read c as well, o the new one; None: they don't.
    """
    (h, c), (gate, of_input, of_output) = states, activations
    i, f, g, o = np.split(u + (h @ weight_hh.T + bias_hh), 4, axis=1)
    p_i, p_o, p_f = (None, None, None) if peepholes is None else peepholes
    i = gate(_seeing(i, c, p_i))
    f = 1 - i if input_forget else gate(_seeing(f, c, p_f))
    c = f * c + i * of_input(g)
    o = gate(_seeing(o, c, p_o))
    return o * of_output(c), c


def _seeing(sums: Array, c: Array, peephole: Array | None) -> Array:
    return sums if peephole is None else sums + peephole * c
