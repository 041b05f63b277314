"""A recurrent node of an ONNX graph: what its inputs mean, and what computes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from elman._errors import InputError
from elman.runtime._arrays import Array, in_range
from elman.runtime._linear import Linear
from elman.runtime._onnx.loop import Loop, Reversed, Run
from elman.runtime._onnx.operators import Attributes, Operator
from elman.runtime._parameters import parameter_names, reorder_gates
from elman.runtime._rnn import network_of
from elman.runtime._states import States, from_states

__all__ = ["RecurrentNode", "Weights"]

_WORKING: dict[str, np.dtype[Any]] = {
    "float16": np.dtype("float32"),
    "float32": np.dtype("float32"),
    "float64": np.dtype("float64"),
}

Parameters = Sequence[Array]  # of one direction: weight_ih, weight_hh, bias_ih, bias_hh, gates in PyTorch's order


@dataclass(frozen=True)
class Weights:
    """The weights of a node, ready to be run: packing them anew for each call would take long."""

    dtype: np.dtype[Any]
    working: np.dtype[Any]  # what it is computed in
    input_size: int
    hidden_size: int
    runs: Sequence[Run]  # one for both directions, or one for each


class RecurrentNode:
    """What a node computes.

    The cells that the engine has run there, the rest on NumPy. float16 is computed in float32 and the results rounded.
    That ONNX's layouts put the directions elsewhere than PyTorch's costs views, not copies.

    Args:
        operator: of the node.
        attributes: their values.
    """

    def __init__(self, operator: Operator, attributes: Attributes) -> None:
        self._family, self._attributes = operator.family, attributes

    def prepare(self, W: Array, R: Array, B: Array | None, P: Array | None = None) -> Weights:
        """Check weights, and pack them for the engine.

        Args:
            W: (directions, gates * hidden_size, input_size).
            R: (directions, gates * hidden_size, hidden_size).
            B: (directions, 2 * gates * hidden_size), the input's biases before the state's; None: zeros.
            P: peepholes of an LSTM, (directions, 3 * hidden_size); None: none.

        Raises:
            InputError: one is of another shape or dtype.
        """
        directions, gates = self._attributes.directions, len(self._family.gates)
        if W.dtype.name not in _WORKING:
            raise InputError(f"W: expected {', '.join(_WORKING)}, got {W.dtype}")
        if W.ndim != 3 or W.shape[0] != directions or 0 in W.shape or W.shape[1] % gates:
            rows = "hidden_size" if gates == 1 else f"{gates} * hidden_size"
            raise InputError(f"W: expected the shape ({directions}, {rows}, input_size), got {W.shape}")
        hidden_size, input_size = W.shape[1] // gates, W.shape[2]
        if self._attributes.hidden_size not in (None, hidden_size):
            expected = f"hidden_size {self._attributes.hidden_size}, as the attribute has"
            raise InputError(f"W: expected {expected}, got {W.shape}")
        if B is None:
            B = np.zeros((directions, 2 * W.shape[1]), W.dtype)
        _check("R", R, W.dtype, (directions, W.shape[1], hidden_size))
        _check("B", B, W.dtype, (directions, 2 * W.shape[1]))
        if P is not None:
            _check("P", P, W.dtype, (directions, 3 * hidden_size))
        working = _WORKING[W.dtype.name]
        blocks = (W, R, *np.split(B, 2, axis=1))
        order = self._family.onnx_gates, self._family.gates
        parameters = [
            [reorder_gates(block.astype(working, copy=False), *order) for block in each]
            for each in zip(*blocks, strict=True)
        ]
        peepholes: Sequence[Array | None]
        peepholes = [None] * directions if P is None else list(P.astype(working).reshape(directions, 3, -1))
        return Weights(W.dtype, working, input_size, hidden_size, self._runs(parameters, peepholes))

    def run(self, weights: Weights, X: Array, sequence_lens: Array | None, *initial: Array | None) -> tuple[Array, ...]:
        """Return Y, Y_h and, of an LSTM, Y_c.

        Args:
            weights: what :meth:`prepare` returned.
            X: (steps, batch, input_size); with layout 1, (batch, steps, input_size).
            sequence_lens: (batch,) the steps of each sequence, from 0; None: all. Beyond, Y is 0.
            initial: initial_h and, of an LSTM, initial_c: (directions, batch, hidden_size); with layout 1, (batch,
                directions, hidden_size); None: zeros.

        Returns:
            (steps, directions, batch, hidden_size) and (directions, batch, hidden_size) of each state; with layout 1,
            (batch, steps, directions, hidden_size) and (batch, directions, hidden_size).

        Raises:
            InputError: one is of another shape or dtype, or a length is out of range.
        """
        first, directions, hidden_size = self._attributes.batch_first, self._attributes.directions, weights.hidden_size
        _check_dtype("X", X, weights.dtype)
        if X.ndim != 3 or X.shape[2] != weights.input_size:
            leading = "batch, steps" if first else "steps, batch"
            raise InputError(f"X: expected the shape ({leading}, {weights.input_size}), got {X.shape}")
        x = X.swapaxes(0, 1) if first else X
        steps, batch = x.shape[:2]
        lengths = None if sequence_lens is None else _checked_lengths(sequence_lens, batch, steps)
        states = []
        for letter, state in zip(self._family.states, initial, strict=True):
            shape = (batch, directions, hidden_size) if first else (directions, batch, hidden_size)
            if state is None:
                state = np.zeros(shape, weights.dtype)
            _check(f"initial_{letter}", state, weights.dtype, shape)
            states.append((state.swapaxes(0, 1) if first else state).astype(weights.working, copy=False))

        if steps:
            output, final = _run(weights.runs, x.astype(weights.working, copy=False), tuple(states), lengths)
        else:
            output, final = np.zeros((0, batch, directions * hidden_size), weights.working), tuple(states)
        Y = output.reshape(steps, batch, directions, hidden_size).astype(weights.dtype, copy=False)
        last = [state.astype(weights.dtype, copy=False) for state in final]
        return (Y.swapaxes(0, 1), *(state.swapaxes(0, 1) for state in last)) if first else (Y.swapaxes(1, 2), *last)

    def _runs(self, parameters: Sequence[Parameters], peepholes: Sequence[Array | None]) -> list[Run]:
        """Return what runs each direction, or both together."""
        cells = [self._attributes.engine_cell(direction, P) for direction, P in enumerate(peepholes)]
        runs: list[Run]
        if cells[0] and cells[0] == cells[-1]:
            runs = [_network(parameters, cells[0])]
        else:
            runs = [
                _network([each], cell) if cell else self._loop(direction, each, P)
                for direction, (each, cell, P) in enumerate(zip(parameters, cells, peepholes, strict=True))
            ]
        if self._attributes.reverse or len(runs) == 2:
            runs[-1] = Reversed(runs[-1])
        return runs

    def _loop(self, direction: int, parameters: Parameters, peepholes: Array | None) -> Loop:
        weight_ih, weight_hh, bias_ih, bias_hh = parameters
        return Loop(Linear(weight_ih, bias_ih), self._attributes.step(direction, weight_hh, bias_hh, peepholes))


def _run(runs: Sequence[Run], x: Array, initial: States, lengths: Array | None) -> tuple[Array, States]:
    if len(runs) == 1:
        return runs[0](x, initial, lengths)
    halves = zip(*(np.split(state, 2) for state in initial), strict=True)
    (forward, after), (reverse, before) = (run(x, half, lengths) for run, half in zip(runs, halves, strict=True))
    final = tuple(np.concatenate(pair) for pair in zip(after, before, strict=True))
    return np.concatenate([forward, reverse], 2), final


def _network(parameters: Sequence[Parameters], cell: str) -> Run:
    named = {
        name: array
        for direction, arrays in enumerate(parameters)
        for name, array in zip(parameter_names(0, direction, True), arrays, strict=True)
    }
    network = network_of(cell, named)

    def run(x: Array, initial: States, lengths: Array | None) -> tuple[Array, States]:
        output, final = network(x, from_states(initial), lengths)
        return output, final if isinstance(final, tuple) else (final,)

    return run


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
