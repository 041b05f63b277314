"""One step of a recurrent cell on NumPy, in the variants that the engine has no kernel for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from elman.runtime._arrays import Array
from elman.runtime._states import States

__all__ = ["Functions", "gru_step", "lstm_step", "rnn_step", "sigmoid"]

Functions = Sequence[Callable[[Array], Array]]

# All take u (batch, gates * hidden_size), which is W_ih x_t + b_ih, gates in PyTorch's order; the states before the
# step, (batch, hidden_size) each; what multiplies a state by W_hh and adds b_hh, for all gates together or for groups
# of them; the activations. They return the states after the step.


def rnn_step(u: Array, states: States, products: Functions, activations: Functions) -> States:
    """``h_t = f(u + v(h))``."""
    (h,), (v,), (f,) = states, products, activations
    return (f(u + v(h)),)


def gru_step(
    u: Array, states: States, products: Functions, activations: Functions, *, linear_before_reset: bool
) -> States:
    """``r, z = f(u + v(h))``, ``n = g(u_n + r v_n(h))``, ``h_t = (1 - z) n + z h``.

    Without ``linear_before_reset``, as first published, ``n = g(u_n + v_n(r h))``.
    """
    (h,), (v_rz, v_n), (f, g) = states, products, activations
    both = 2 * h.shape[1]
    r, z = np.split(f(u[:, :both] + v_rz(h)), 2, axis=1)
    n = g(u[:, both:] + (r * v_n(h) if linear_before_reset else v_n(r * h)))
    return (n + z * (h - n),)


def lstm_step(
    u: Array,
    states: States,
    products: Functions,
    activations: Functions,
    *,
    input_forget: bool,
    peepholes: Array | None,
) -> States:
    """``i, f, o = f(u + v(h))``, ``c_t = f c + i g(u_g + v_g(h))``, ``h_t = o k(c_t)``.

    Args:
        input_forget: f is 1 - i.
        peepholes: (3, hidden_size), by which i, o and f read c as well, o the new one; None: they don't.
    """
    (h, c), (v,), (of_gates, of_input, of_output) = states, products, activations
    i, f, g, o = np.split(u + v(h), 4, axis=1)
    p_i, p_o, p_f = (None, None, None) if peepholes is None else peepholes
    i = of_gates(_seeing(i, c, p_i))
    f = 1 - i if input_forget else of_gates(_seeing(f, c, p_f))
    c = f * c + i * of_input(g)
    o = of_gates(_seeing(o, c, p_o))
    return o * of_output(c), c


def _seeing(sums: Array, c: Array, peephole: Array | None) -> Array:
    return sums if peephole is None else sums + peephole * c


def sigmoid(x: Array) -> Array:
    """The logistic function."""
    small: Array = np.exp(-np.abs(x))  # never overflows
    return np.where(x >= 0, 1, small) / (1 + small)  # type: ignore[no-any-return]
