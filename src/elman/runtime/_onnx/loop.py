"""One direction over a sequence, on NumPy: for what the engine has no kernel for, and for reading backwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from elman.runtime._arrays import Array
from elman.runtime._states import States

__all__ = ["Loop", "Reversed", "Run"]

Run = Callable[[Array, States, "Array | None"], tuple[Array, States]]
"""From x (steps, batch, input_size), initial states (directions, batch, hidden_size) and lengths (batch,), or None for
all steps, to the output (steps, batch, directions * hidden_size), 0 beyond a length, and the final states."""


@dataclass(frozen=True)
class Loop:
    """A network of one layer and direction, step by step.

    Args:
        product: from inputs (rows, input_size) to what they come to in all gates (rows, gates * hidden_size).
        step: from that of one step and the states before it to the states after it.
    """

    product: Callable[[Array], Array]
    step: Callable[[Array, States], States]

    def __call__(self, x: Array, initial: States, lengths: Array | None) -> tuple[Array, States]:
        steps, batch, features = x.shape
        rows = self.product(x.reshape(steps * batch, features))
        u = rows.reshape(steps, batch, rows.shape[1])
        states = tuple(state[0] for state in initial)
        output = np.empty((steps, *states[0].shape), x.dtype)
        own = np.full(batch, steps) if lengths is None else lengths
        for step, runs in enumerate(np.arange(steps)[:, None, None] < own[:, None]):
            new = self.step(u[step], states)
            states = tuple(np.where(runs, after, before) for after, before in zip(new, states, strict=True))
            output[step] = np.where(runs, new[0], 0)
        return output, tuple(state[None] for state in states)


@dataclass(frozen=True)
class Reversed:
    """Another run over each sequence from its last step to its first; the output stands where its input stands."""

    run: Run

    def __call__(self, x: Array, initial: States, lengths: Array | None) -> tuple[Array, States]:
        output, final = self.run(_reverse(x, lengths), initial, lengths)
        return _reverse(output, lengths), final


def _reverse(x: Array, lengths: Array | None) -> Array:
    """Turn the first ``lengths`` steps of each sequence round; the rest stays."""
    if lengths is None:
        return x[::-1]
    steps = np.arange(len(x))[:, None]
    return np.take_along_axis(x, np.where(steps < lengths, lengths - 1 - steps, steps)[:, :, None], axis=0)
