"""Cells that people ask for, each by its equation and source."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

from elman._errors import InputError, shown
from elman.cells._cell import Cell, learned
from elman.cells._values import (
    Gate,
    Value,
    exp,
    fma,
    maximum,
    mean_units,
    minimum,
    relu,
    sigma,
    softplus,
    sqrt,
    tanh,
    where,
)

__all__ = [
    "ACTIVATIONS",
    "GRU",
    "LSTM",
    "CoupledLSTM",
    "Elman",
    "IndRNN",
    "LayerNormGRU",
    "LayerNormLSTM",
    "LayerNormRNN",
    "MinimalGatedUnit",
    "PeepholeLSTM",
    "RateLeaky",
    "VoltageLeaky",
]

#: What an Elman cell may make of its sum: ONNX's eleven, with its default constants.
ACTIVATIONS: Mapping[str, Callable[..., Any]] = {
    "tanh": tanh,
    "relu": relu,
    "sigmoid": sigma,
    "affine": lambda x, alpha=1.0, beta=0.0: fma(alpha, x, beta),
    "leaky_relu": lambda x, alpha=0.01: where(x < 0, alpha * x, x),
    "thresholded_relu": lambda x, alpha=1.0: where(x > alpha, x, 0.0),
    "scaled_tanh": lambda x, alpha=1.0, beta=1.0: alpha * tanh(beta * x),
    "hard_sigmoid": lambda x, alpha=0.2, beta=0.5: minimum(maximum(fma(alpha, x, beta), 0.0), 1.0),
    "elu": lambda x, alpha=1.0: where(x < 0, alpha * (exp(minimum(x, 0.0)) - 1.0), x),
    "softsign": lambda x: x / (1.0 + abs(x)),
    "softplus": softplus,
}


def _checked(activation: Any) -> str:
    # its name, for functions go into no pickle
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        raise InputError(f"activation: expected one of {', '.join(ACTIVATIONS)}, got {shown(activation)}")
    return activation


def _is_number(value: Any) -> bool:
    return isinstance(value, Real)


class Elman(Cell):
    r"""An Elman cell with any activation of ONNX's: :math:`h_t = f(W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh})`.

    Args:
        activation: ``"tanh"``, ``"relu"``, ``"sigmoid"``, ``"affine"``, ``"leaky_relu"``, ``"thresholded_relu"``,
            ``"scaled_tanh"``, ``"hard_sigmoid"``, ``"elu"``, ``"softsign"`` or ``"softplus"``.
        constants: its ``alpha`` and ``beta``, where it has them.

    Source: J. L. Elman, "Finding structure in time" (1990); ONNX's operator RNN.
    """

    def __init__(self, activation: str = "tanh", **constants: float) -> None:
        self.activation, self.constants = _checked(activation), constants
        known = [*inspect.signature(ACTIVATIONS[activation]).parameters][1:]
        for name, value in constants.items():
            if name not in known:
                raise InputError(f"{name}: expected {' and '.join(known) or 'no constants'} of {activation}")
            if not _is_number(value):
                raise InputError(f"{name}: expected a number, got {shown(value)}")
        super().__init__()

    def step(self, a: Value) -> Any:
        return ACTIVATIONS[self.activation](a, **self.constants)


class GRU(Cell):
    r"""PyTorch's GRU: :math:`r, z = \sigma(a)`, :math:`n = \tanh(u_n + r \odot v_n)`,
    :math:`h_t = (1 - z) \odot n + z \odot h_{t-1}`.

    The numbers of :class:`elman.nn.GRU`, to the bit, which is faster; here for :class:`Zoneout`,
    :class:`RecurrentDropout` and cells made from it.

    Source: K. Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical machine
    translation" (2014), with the reset behind the product, as PyTorch's.
    """

    gates = ("r", "z", "n")

    def step(self, r: Gate, z: Gate, n: Gate, h: Value) -> Value:
        new = tanh(fma(sigma(r), n.recurrent, n.input))
        return fma(sigma(z), h - new, new)


class LSTM(Cell):
    r"""PyTorch's LSTM: :math:`c_t = \sigma(a_f) \odot c_{t-1} + \sigma(a_i) \odot \tanh(a_g)`,
    :math:`h_t = \sigma(a_o) \odot \tanh(c_t)`.

    The numbers of :class:`elman.nn.LSTM`, to the bit, which is faster; here for :class:`Zoneout`,
    :class:`RecurrentDropout` and cells made from it.

    Source: S. Hochreiter and J. Schmidhuber, "Long short-term memory" (1997); F. Gers et al. (2000), whose forget gate
    it has.
    """

    gates, states = ("i", "f", "g", "o"), ("h", "c")

    def step(self, i: Gate, f: Gate, g: Gate, o: Gate, c: Value) -> tuple[Value, Value]:
        c = fma(sigma(f), c, sigma(i) * tanh(g))
        return sigma(o) * tanh(c), c


class _Leaky(Cell):
    """What the leaky units share."""

    def __init__(self, leak: Any = 0.2, activation: str = "relu", noise: float = 0.0) -> None:
        if _is_number(leak) and not leak > 0:
            raise InputError(f"leak: expected a number above 0, got {shown(leak)}")
        if not _is_number(noise) or not 0 <= noise < float("inf"):
            raise InputError(f"noise: expected a number of 0 or more, got {shown(noise)}")
        self.activation, self.noise = _checked(activation), noise
        if noise:
            self.step_inputs = ("noise",)
        super().__init__(leak=leak)

    def draw(self, name: str, empty: Any, training: bool) -> Any:
        return empty.normal_() if training else empty.zero_()


class RateLeaky(_Leaky):
    r"""A leaky unit by its rate: :math:`h_t = (1 - \alpha) h_{t-1} + \alpha f(a_t + \sqrt{2 / \alpha}\, \sigma \xi_t)`.

    With :math:`a_t = W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh}`: rates are fed back and leak themselves. With tanh
    it is the unit of leaky echo state networks.

    Args:
        leak: :math:`\alpha = \Delta t / \tau`: a number, one for each unit, or ``learned(…)``.
        activation: as of :class:`Elman`.
        noise: :math:`\sigma`, of normal noise :math:`\xi_t` while training; 0 for none.

    Source: the form of nn-brain's tutorials (G. R. Yang and X.-J. Wang, "Artificial neural networks for
    neuroscientists: a primer", 2020).
    """

    def step(self, a: Value, h: Value, leak: Any, noise: Any = None) -> Any:
        if noise is not None:
            a = a + sqrt(2.0 / leak) * self.noise * noise
        return (1.0 - leak) * h + leak * ACTIVATIONS[self.activation](a)


class VoltageLeaky(_Leaky):
    r"""A leaky unit by its voltage: :math:`v_t = (1 - \alpha) v_{t-1} + \alpha a_t + \sqrt{2 \alpha}\, \sigma \xi_t`,
    :math:`r_t = f(v_t)`.

    With :math:`a_t = W_{ih} x_t + b_{ih} + W_{hh} r_{t-1} + b_{hh}`: the voltage leaks, and the rates, which are the
    output, are fed back. The states are ``r`` and ``v``.

    Args:
        leak: :math:`\alpha = \Delta t / \tau`: a number, one for each unit, or ``learned(…)``.
        activation: as of :class:`Elman`.
        noise: :math:`\sigma`, of normal noise :math:`\xi_t` while training; 0 for none.

    Source: the form of PsychRNN (D. B. Ehrlich et al., "PsychRNN: an accessible and flexible Python package for
    training recurrent neural network models on cognitive tasks", 2021) and of nn4n.
    """

    states = ("r", "v")

    def step(self, a: Value, v: Value, leak: Any, noise: Any = None) -> Any:
        v = (1.0 - leak) * v + leak * a
        if noise is not None:
            v = v + sqrt(2.0 * leak) * self.noise * noise
        return ACTIVATIONS[self.activation](v), v


class IndRNN(Cell):
    r"""Units that are fed back to themselves alone: :math:`h_t = f(W_{ih} x_t + b_{ih} + u \odot h_{t-1})`.

    Args:
        recurrent: u, one for each unit.
        activation: as of :class:`Elman`.

    Source: S. Li et al., "Independently recurrent neural network (IndRNN)" (2018).
    """

    def __init__(self, recurrent: Any = learned(1.0), activation: str = "relu") -> None:  # noqa: B008
        self.activation = _checked(activation)
        super().__init__(recurrent=recurrent)

    def step(self, a: Any, h: Value, recurrent: Any) -> Any:
        return ACTIVATIONS[self.activation](fma(recurrent, h, a.input))


def _normalised(x: Value, gain: Any, shift: Any) -> Any:
    """x over the units of its row, with mean 0 and variance 1, then scaled and shifted."""
    from_mean = x - mean_units(x)
    return fma(from_mean / sqrt(mean_units(from_mean * from_mean) + 1e-5), gain, shift)


class LayerNormRNN(Cell):
    r"""An Elman cell whose sum is normalised over the units: :math:`h_t = f(LN(a_t))`.

    Source: J. L. Ba et al., "Layer normalization" (2016).
    """

    def __init__(self, activation: str = "tanh") -> None:
        self.activation = _checked(activation)
        super().__init__(gain=learned(1.0), shift=learned(0.0))

    def step(self, a: Value, gain: Any, shift: Any) -> Any:
        return ACTIVATIONS[self.activation](_normalised(a, gain, shift))


class LayerNormGRU(Cell):
    r"""A GRU whose sums are normalised, those of each gate over its units.

    Source: J. L. Ba et al., "Layer normalization" (2016); K. Cho et al. (2014) with the reset behind the product, as
    PyTorch's.
    """

    gates = ("r", "z", "n")

    def __init__(self) -> None:
        names = ("r", "z", "n", "v")
        super().__init__(**{f"gain_{x}": learned(1.0) for x in names}, **{f"shift_{x}": learned(0.0) for x in names})

    def step(
        self,
        r: Any,
        z: Any,
        n: Any,
        h: Value,
        gain_r: Any,
        gain_z: Any,
        gain_n: Any,
        gain_v: Any,
        shift_r: Any,
        shift_z: Any,
        shift_n: Any,
        shift_v: Any,
    ) -> Any:
        r, z = sigma(_normalised(r, gain_r, shift_r)), sigma(_normalised(z, gain_z, shift_z))
        u, v = _normalised(n.input, gain_n, shift_n), _normalised(n.recurrent, gain_v, shift_v)
        n = tanh(fma(r, v, u))
        return fma(z, h - n, n)


class LayerNormLSTM(Cell):
    r"""An LSTM whose sums and cell state are normalised, those of each gate over its units.

    Source: J. L. Ba et al., "Layer normalization" (2016), each gate for itself, as TensorFlow's
    ``LayerNormBasicLSTMCell``.
    """

    gates, states = ("i", "f", "g", "o"), ("h", "c")

    def __init__(self) -> None:
        names = ("i", "f", "g", "o", "c")
        super().__init__(**{f"gain_{x}": learned(1.0) for x in names}, **{f"shift_{x}": learned(0.0) for x in names})

    def step(
        self,
        i: Any,
        f: Any,
        g: Any,
        o: Any,
        c: Value,
        gain_i: Any,
        gain_f: Any,
        gain_g: Any,
        gain_o: Any,
        gain_c: Any,
        shift_i: Any,
        shift_f: Any,
        shift_g: Any,
        shift_o: Any,
        shift_c: Any,
    ) -> Any:
        i, f = sigma(_normalised(i, gain_i, shift_i)), sigma(_normalised(f, gain_f, shift_f))
        g, o = tanh(_normalised(g, gain_g, shift_g)), sigma(_normalised(o, gain_o, shift_o))
        c = fma(f, c, i * g)
        return o * tanh(_normalised(c, gain_c, shift_c)), c


class MinimalGatedUnit(Cell):
    r"""A GRU with one gate: :math:`f = \sigma(a_f)`, :math:`n = \tanh(u_n + f \odot v_n)`,
    :math:`h_t = (1 - f) \odot h_{t-1} + f \odot n`.

    Source: G.-B. Zhou et al., "Minimal gated unit for recurrent neural networks" (2016), with the gate behind the
    product, as in PyTorch's GRU.
    """

    gates = ("f", "n")

    def step(self, f: Gate, n: Gate, h: Value) -> Value:
        forget = sigma(f)
        new = tanh(fma(forget, n.recurrent, n.input))
        return fma(forget, new - h, h)


class PeepholeLSTM(Cell):
    r"""An LSTM whose gates see the cell state: :math:`i, f = \sigma(a + p \odot c_{t-1})`,
    :math:`o = \sigma(a_o + p_o \odot c_t)`.

    Source: F. Gers et al., "Learning precise timing with LSTM recurrent networks" (2002).
    """

    gates, states = ("i", "f", "g", "o"), ("h", "c")

    def __init__(self) -> None:
        super().__init__(peep_i=learned(0.0), peep_f=learned(0.0), peep_o=learned(0.0))

    def step(self, i: Any, f: Any, g: Any, o: Any, c: Any, peep_i: Any, peep_f: Any, peep_o: Any) -> Any:
        i, f = sigma(fma(peep_i, c, i)), sigma(fma(peep_f, c, f))
        c = fma(f, c, i * tanh(g))
        return sigma(fma(peep_o, c, o)) * tanh(c), c


class CoupledLSTM(Cell):
    r"""An LSTM that forgets what it writes over: :math:`i = 1 - f`.

    Source: K. Greff et al., "LSTM: a search space odyssey" (2017).
    """

    gates, states = ("f", "g", "o"), ("h", "c")

    def step(self, f: Any, g: Any, o: Any, c: Any) -> Any:
        f, g = sigma(f), tanh(g)
        c = fma(f, c - g, g)
        return sigma(o) * tanh(c), c
