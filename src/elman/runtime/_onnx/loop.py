"""One direction over a sequence, on NumPy: for what the engine has no kernel for, and for reading backwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from elman.runtime._arrays import Array

__all__ = ["Loop", "Reversed", "Run"]

Run = Callable[[Array, "Array | None", "Array | None"], tuple[Array, Array]]
"""x (steps, batch, input_size), h_0 (directions, batch, hidden_size) or None, lengths (batch,) or None: as
:meth:`elman.runtime.RNN.__call__` takes them, and its results."""


@dataclass(frozen=True)
class Loop:
    """``h_t = f(clip(W x_t + R h_{t-1} + b))`` step by step, with any activation.

    Args:
        W: (hidden_size, input_size).
        R: (hidden_size, hidden_size).
        B: (2 * hidden_size,), two biases behind one another, or None.
        activation: f.
        clip: the greatest magnitude that f is handed; None: any.
    """

    W: Array
    R: Array
    B: Array | None
    activation: Callable[[Array], Array]
    clip: float | None

    def __call__(self, x: Array, h_0: Array | None, lengths: Array | None) -> tuple[Array, Array]:
        steps, batch = x.shape[:2]
        output = x @ self.W.T
        if self.B is not None:
            output += self.B[: len(self.W)] + self.B[len(self.W) :]
        h = np.zeros(output.shape[1:], output.dtype) if h_0 is None else h_0[0]
        own = np.full(batch, steps) if lengths is None else lengths
        for step, runs in zip(output, np.arange(steps)[:, None, None] < own[:, None], strict=True):
            step += h @ self.R.T
            if self.clip is not None:
                np.clip(step, -self.clip, self.clip, out=step)
            state = self.activation(step)
            h = np.where(runs, state, h)
            step[...] = np.where(runs, state, 0)
        return output, h[None]


@dataclass(frozen=True)
class Reversed:
    """Another run over each sequence from its last step to its first; the output stands where its input stands."""

    run: Run

    def __call__(self, x: Array, h_0: Array | None, lengths: Array | None) -> tuple[Array, Array]:
        output, h_n = self.run(_reverse(x, lengths), h_0, lengths)
        return _reverse(output, lengths), h_n


def _reverse(x: Array, lengths: Array | None) -> Array:
    """Turn the first ``lengths`` steps of each sequence round; the rest stays."""
    if lengths is None:
        return x[::-1]
    steps = np.arange(len(x))[:, None]
    return np.take_along_axis(x, np.where(steps < lengths, lengths - 1 - steps, steps)[:, :, None], axis=0)
