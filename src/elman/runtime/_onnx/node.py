"""ONNX's operator RNN: what its attributes and inputs mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from reprlib import repr as shortened
from typing import Any

import numpy as np

from elman._errors import InputError
from elman.runtime._arrays import Array, in_range
from elman.runtime._onnx.activations import choose_activations
from elman.runtime._onnx.loop import Loop, Reversed, Run
from elman.runtime._parameters import parameter_names
from elman.runtime._rnn import RNN

__all__ = ["RecurrentNode", "Weights"]

_DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}
_ENGINE = {"Tanh": "tanh", "Relu": "relu"}
_WORKING: dict[str, np.dtype[Any]] = {
    "float16": np.dtype("float32"),
    "float32": np.dtype("float32"),
    "float64": np.dtype("float64"),
}


@dataclass(frozen=True)
class Weights:
    """The weights of a node, ready to be run: packing them anew for each call would take long."""

    dtype: np.dtype[Any]
    working: np.dtype[Any]  # what it is computed in
    input_size: int
    hidden_size: int
    runs: Sequence[Run]  # one for both directions, or one for each


class RecurrentNode:
    """What a node computes, from its attributes under the names that they have in ONNX.

    Tanh and Relu without clip run on the engine, the rest on NumPy. float16 is computed in float32 and the results
    rounded. That ONNX's layouts put the directions elsewhere than PyTorch's costs views, not copies.

    Raises:
        InputError: the operator does not take an attribute's value.
    """

    def __init__(
        self,
        activations: Sequence[str],
        activation_alpha: Sequence[float] | None,
        activation_beta: Sequence[float] | None,
        clip: float | None,
        direction: str,
        hidden_size: int | None,
        layout: int,
    ) -> None:
        if direction not in _DIRECTIONS:
            raise InputError(f"direction: expected {', '.join(_DIRECTIONS)}, got {shortened(direction)}")
        if layout not in (0, 1):
            raise InputError(f"layout: expected 0 or 1, got {layout}")
        if clip is not None and not clip >= 0:
            raise InputError(f"clip: expected a threshold of at least 0, got {clip}")
        self._directions, self._reverse = _DIRECTIONS[direction], direction == "reverse"
        alphas, betas = activation_alpha or [], activation_beta or []
        self._activations = choose_activations(activations, alphas, betas, self._directions)
        self._clip = None if clip is None else float(clip)
        self._hidden_size, self._batch_first = hidden_size, layout == 1

    def prepare(self, W: Array, R: Array, B: Array | None) -> Weights:
        """Check weights, and pack them for the engine.

        Args:
            W: (directions, hidden_size, input_size).
            R: (directions, hidden_size, hidden_size).
            B: (directions, 2 * hidden_size), the input's biases before the state's; None: none.

        Raises:
            InputError: one is of another shape or dtype.
        """
        if W.dtype.name not in _WORKING:
            raise InputError(f"W: expected {', '.join(_WORKING)}, got {W.dtype}")
        if W.ndim != 3 or W.shape[0] != self._directions or 0 in W.shape:
            raise InputError(f"W: expected the shape ({self._directions}, hidden_size, input_size), got {W.shape}")
        hidden_size, input_size = W.shape[1:]
        if self._hidden_size not in (None, hidden_size):
            raise InputError(f"W: expected hidden_size {self._hidden_size}, as the attribute has, got {W.shape}")
        _check("R", R, W.dtype, (self._directions, hidden_size, hidden_size))
        if B is not None:
            _check("B", B, W.dtype, (self._directions, 2 * hidden_size))
        working = _WORKING[W.dtype.name]
        biases = [None] * self._directions if B is None else list(B.astype(working, copy=False))
        runs = self._runs(list(zip(W.astype(working, copy=False), R.astype(working, copy=False), biases, strict=True)))
        return Weights(W.dtype, working, input_size, hidden_size, runs)

    def run(
        self, weights: Weights, X: Array, sequence_lens: Array | None, initial_h: Array | None
    ) -> tuple[Array, Array]:
        """Return Y and Y_h.

        Args:
            weights: what :meth:`prepare` returned.
            X: (steps, batch, input_size); with layout 1, (batch, steps, input_size).
            sequence_lens: (batch,) the steps of each sequence, from 0; None: all. Beyond, Y is 0.
            initial_h: (directions, batch, hidden_size); with layout 1, (batch, directions, hidden_size); None: zeros.

        Returns:
            (steps, directions, batch, hidden_size) and (directions, batch, hidden_size); with layout 1, (batch,
            steps, directions, hidden_size) and (batch, directions, hidden_size).

        Raises:
            InputError: one is of another shape or dtype, or a length is out of range.
        """
        first, directions, hidden_size = self._batch_first, self._directions, weights.hidden_size
        _check_dtype("X", X, weights.dtype)
        if X.ndim != 3 or X.shape[2] != weights.input_size:
            leading = "batch, steps" if first else "steps, batch"
            raise InputError(f"X: expected the shape ({leading}, {weights.input_size}), got {X.shape}")
        x = X.swapaxes(0, 1) if first else X
        steps, batch = x.shape[:2]
        lengths = None if sequence_lens is None else _checked_lengths(sequence_lens, batch, steps)
        h_0 = initial_h
        if h_0 is not None:
            shape = (batch, directions, hidden_size) if first else (directions, batch, hidden_size)
            _check("initial_h", h_0, weights.dtype, shape)
            h_0 = (h_0.swapaxes(0, 1) if first else h_0).astype(weights.working, copy=False)

        if steps:
            output, h_n = self._run(weights.runs, x.astype(weights.working, copy=False), h_0, lengths)
        else:
            output = np.zeros((0, batch, directions * hidden_size), weights.working)
            h_n = np.zeros((directions, batch, hidden_size), weights.working) if h_0 is None else h_0
        Y = output.reshape(steps, batch, directions, hidden_size).astype(weights.dtype, copy=False)
        Y_h = h_n.astype(weights.dtype, copy=False)
        return (Y.swapaxes(0, 1), Y_h.swapaxes(0, 1)) if first else (Y.swapaxes(1, 2), Y_h)

    def _run(self, runs: Sequence[Run], x: Array, h_0: Array | None, lengths: Array | None) -> tuple[Array, Array]:
        parts = [None] * len(runs) if h_0 is None else np.split(h_0, len(runs))
        results = [run(x, part, lengths) for run, part in zip(runs, parts, strict=True)]
        if len(results) == 1:
            return results[0]
        return np.concatenate([output for output, _ in results], 2), np.concatenate([h_n for _, h_n in results])

    def _runs(self, arrays: Sequence[tuple[Array, Array, Array | None]]) -> list[Run]:
        """Return what runs each direction, of (W, R, B), or both together."""
        kinds = [None if self._clip is not None else _ENGINE.get(activation.name) for activation in self._activations]
        runs: list[Run]
        if kinds[0] and kinds[0] == kinds[-1]:
            runs = [_network(arrays, kinds[0])]
        else:
            runs = [
                _network([each], kind) if kind else Loop(*each, activation, self._clip)
                for each, kind, activation in zip(arrays, kinds, self._activations, strict=True)
            ]
        if self._reverse or len(runs) == 2:
            runs[-1] = Reversed(runs[-1])
        return runs


def _network(arrays: Sequence[tuple[Array, Array, Array | None]], nonlinearity: str) -> RNN:
    parameters: dict[str, Array] = {}
    for direction, (W, R, B) in enumerate(arrays):
        biases = [] if B is None else [B[: len(W)], B[len(W) :]]
        parameters |= dict(zip(parameter_names(0, direction, B is not None), [W, R, *biases], strict=True))
    return RNN(parameters, nonlinearity)


def _checked_lengths(lengths: Array, batch: int, steps: int) -> Array:
    if lengths.dtype.kind not in "iu":
        raise InputError(f"sequence_lens: expected integers, got {lengths.dtype}")
    return in_range(lengths, "sequence_lens", batch, steps, "X")


def _check(name: str, array: Array, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    _check_dtype(name, array, dtype)
    if array.shape != shape:
        raise InputError(f"{name}: expected the shape {shape}, got {array.shape}")


def _check_dtype(name: str, array: Array, dtype: np.dtype[Any]) -> None:
    if array.dtype != dtype:
        raise InputError(f"{name}: expected {dtype}, as W has, got {array.dtype}")
