"""A GRU as it was first published, the reset gate before the recurrent product, on NumPy: the engine has the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from threading import Lock
from typing import Any

import numpy as np

from elman._places import places_of_rows
from elman.runtime._arrays import Array
from elman.runtime._linear import Linear
from elman.runtime._rnn import GRU
from elman.runtime._states import States, StatesForm
from elman.runtime._steps import gru_step, sigmoid

__all__ = ["ResetFirstGRU"]

Convert = Callable[[Any, Any, "Array | None", "Array | None"], Array]


class ResetFirstGRU(GRU):
    """A GRU with ``n_t = tanh(W_in x_t + b_in + W_hn (r_t * h_{t-1}) + b_hn)``: Keras's ``reset_after=False``."""

    reset_after = False

    def _make_engine(self, layers: list[tuple[Any, ...]]) -> Any:
        return _Engine([_Layer(*arrays) for arrays in layers], self.states_form, self.start[0], self.residual)

    def _make_stream(self, batch: int, convert: Convert) -> Any:
        return _Stream(self._network, batch, convert)


class _Layer:
    """One layer and direction: PyTorch's parameters, gates in its order r, z, n."""

    def __init__(self, w_ih: Array, w_hh: Array, b_ih: Array | None, b_hh: Array | None) -> None:
        self.units = units = w_hh.shape[1]
        self._input = Linear(w_ih, b_ih)
        biases = (None, None) if b_hh is None else (b_hh[: 2 * units], b_hh[2 * units :])
        products = [Linear(w_hh[: 2 * units], biases[0]), Linear(w_hh[2 * units :], biases[1])]
        self._step = partial(gru_step, products=products, activations=(sigmoid, np.tanh), linear_before_reset=False)

    def run(self, x: Array, sizes: Sequence[int], reverse: bool, h: Array) -> Array:
        """Return the outputs of packed rows, and leave the final states in ``h``."""
        u, output = self._input(x), np.empty((len(x), self.units), x.dtype)
        steps = list(pairwise(np.cumsum([0, *sizes]).tolist()))
        for begin, end in steps[:: -1 if reverse else 1]:
            output[begin:end] = h[: end - begin] = self._step(u[begin:end], (h[: end - begin],))[0]
        return output


class _Engine:
    """What the engine's networks do for :class:`elman.runtime._network.Network`."""

    def __init__(self, layers: Sequence[_Layer], form: StatesForm, start: Array, residual: bool) -> None:
        self._layers, self.form, self._start, self._residual = layers, form, start, residual

    def run_plain(self, *_: Any) -> None:
        """Leave all calls to be checked in Python."""

    def run(
        self,
        x: Array,
        batch_sizes: Array | None,
        initial: States | None,
        output: Array,
        final: States,
        places: Array | None = None,
    ) -> None:
        if places is not None:
            at = places_of_rows(batch_sizes, places)
            rows = np.empty((len(at[0]), output.shape[-1]), output.dtype)
            self.run(x[at], batch_sizes, initial, rows, final)
            output[...] = 0
            output[at] = rows
            return
        sizes = [x.shape[1]] * len(x) if batch_sizes is None else batch_sizes.tolist()
        if initial is None:
            self.begin(final[0], sizes[0])
        else:
            final[0][...] = initial[0]
        states = [h for block in self.form.blocks(final[0], sizes[0]) for h in block]
        rows = np.ascontiguousarray(x).reshape(-1, x.shape[-1])
        for first in range(0, len(self._layers), self.form.directions):
            both = range(first, first + self.form.directions)
            read, outputs = rows, [self._layers[i].run(rows, sizes, i > first, states[i]) for i in both]
            rows = np.concatenate(outputs, axis=1)
            if self._residual and first and rows.shape == read.shape:
                rows += read
        output[...] = rows.reshape(output.shape)

    def begin(self, states: Array, batch: int, rows: Any = slice(None)) -> None:
        """Write the states that sequences begin from, of some of a batch."""
        both = zip(self.form.blocks(states, batch), self.form.blocks(self._start, 1), strict=True)
        for block, start in both:
            block[:, rows] = start


class _Stream:
    """What the engine's streams do for :class:`elman.runtime.Stream`."""

    def __init__(self, engine: _Engine, batch: int, convert: Convert) -> None:
        self._steps, self._convert = _Steps(engine, batch), convert

    def step(self, x_t: Any, out: Array | None = None, reset: Array | None = None) -> Array:
        return self._convert(self._steps, x_t, out, reset)

    def reset(self, rows: Array) -> None:
        self._steps.reset(rows)

    def read_states(self, states: Array) -> None:
        with self._steps.used() as own:
            states[0] = own[0]

    def write_states(self, states: Array) -> None:
        with self._steps.used() as own:
            own[0][...] = states[0]


class _Steps:
    """The states, and a step from an array that fits."""

    def __init__(self, engine: _Engine, batch: int) -> None:
        self._engine, self._batch, self._lock = engine, batch, Lock()
        self._states = engine.form.empty(batch)
        self.reset(np.ones(batch, bool))

    def step(self, x_t: Array, out: Array | None = None, reset: Array | None = None) -> Array:
        with self.used() as states:
            if reset is not None:
                self._engine.begin(states[0], self._batch, reset)
            output = np.empty((1, self._batch, self._engine.form.widths[-1]), x_t.dtype)
            self._engine.run(x_t.reshape(1, self._batch, -1), None, states, output, states)
        return output.reshape(*x_t.shape[:-1], -1)

    def reset(self, rows: Array) -> None:
        with self.used() as states:
            self._engine.begin(states[0], self._batch, rows)

    @contextmanager
    def used(self) -> Iterator[Any]:
        """The states, for one caller at a time."""
        if not self._lock.acquire(blocking=False):
            raise RuntimeError("stream: expected one thread at a time, another one is using it; make each its own")
        try:
            yield self._states
        finally:
            self._lock.release()
