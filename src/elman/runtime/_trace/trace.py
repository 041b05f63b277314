"""A model's hidden states and beliefs step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman._errors import InputError
from elman.runtime._arrays import Array
from elman.runtime._network import Network
from elman.runtime._parameters import parameter_names
from elman.runtime._rnn import network_of

__all__ = ["MOST_STEPS", "Expected", "Trace", "directions_of", "layer_states", "most_steps", "require_few"]

MOST_STEPS = 10_000
MOST_BELIEFS = 2**28  # a gigabyte of float32
MOST_STATES = 2**25  # 90 MB of a page


@dataclass(frozen=True)
class Expected:
    """What a forecaster expected of the steps after each step that it read.

    Attributes:
        lower, upper: (steps, horizon, targets) the bounds of the intervals around ``Trace.beliefs``.
        times: (steps + horizon,) of the steps read and of those after them.
        unseen: the first step read that the model was not trained on.
    """

    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    times: list[str]
    unseen: int


@dataclass(frozen=True)
class Trace:
    """What a model's units did, and what it believed, after each step that it read.

    Attributes:
        kind: of the model, such as ``"text classifier"``.
        read: (steps,) what was read at each step: tokens as the model sees them, or times.
        states: (steps, layers, readers, hidden_size) the hidden states, the bits of the prediction's own.
        readers: directions or networks: ``["forward"]``, ``["forward", "backward"]``, or a forecaster's networks.
        outcomes: what there is to believe in: classes, tags, the tokens known, a forecaster's targets.
        beliefs: (steps, outcomes) the probability of each; of a forecaster (steps, horizon, targets) the values
            expected of the steps that follow.
        taken: (steps,) places in ``outcomes``: the likeliest class so far, the predicted tag, or the token that came
            next, -1 where none did; None of a forecaster.
        known: (steps,) whether the model knows what was read.
        signal: (steps, channels) the numbers read; None of a text.
        channels: their names.
        expected: of a forecaster: intervals and times.
    """

    kind: str
    read: list[str]
    states: Array
    readers: list[str]
    outcomes: list[str]
    beliefs: Array
    taken: NDArray[np.int64] | None = None
    known: NDArray[np.bool_] | None = None
    signal: NDArray[np.float64] | None = None
    channels: list[str] = field(default_factory=list)
    expected: Expected | None = None

    def to_html(self, title: str = "") -> str:
        """Return a page that steps through the trace: one file, without network, for any browser.

        Args:
            title: of the page; "": the kind of model.
        """
        from elman.runtime._trace.page import as_page

        return as_page(self, title or self.kind)

    def save_html(self, path: str | PathLike[str], title: str = "", *, overwrite: bool = False) -> None:
        """Write the page of :meth:`to_html` to a file.

        Raises:
            InputError: the file cannot be written, or exists and not ``overwrite``.
        """
        from elman._files import write_files
        from elman.runtime._saving import require_free

        place = require_free(path, overwrite)
        write_files(place.parent, {place.name: self.to_html(title).encode()})

    def _repr_html_(self) -> str:
        """Show the page in a notebook."""
        import html

        page = html.escape(self.to_html())
        return f'<iframe srcdoc="{page}" style="width: 100%; height: 800px; border: 0"></iframe>'

    def __repr__(self) -> str:
        return f"Trace({self.kind}: {len(self.read)} steps, states {self.states.shape}, beliefs {self.beliefs.shape})"


def layer_states(rnn: Network, x: Array) -> Array:
    """Return the states of every layer, (steps, layers, directions, hidden_size), over one sequence.

    Args:
        rnn: the network.
        x: (steps, input_size), one step or more.
    """
    directions, units = 2 if rnn.bidirectional else 1, rnn.states_form.widths[0]
    states = np.empty((len(x), rnn.num_layers, directions, units), rnn.dtype)
    for layer in range(rnn.num_layers):
        renamed: dict[str, Any] = {}
        for direction in range(directions):
            names = zip(
                parameter_names(layer, direction, rnn.bias), parameter_names(0, direction, rnn.bias), strict=True
            )
            renamed |= {alone: rnn.parameters[stacked] for stacked, alone in names}
        x, _ = network_of(rnn.cell, renamed)(x)
        states[:, layer] = x.reshape(len(x), directions, units)
    return states


def directions_of(rnn: Network) -> list[str]:
    """Return the names of a network's directions."""
    return ["forward", "backward"] if rnn.bidirectional else ["forward"]


def most_steps(beliefs: int, states: int) -> int:
    """Return how many steps can be stepped through, of so many beliefs and states each."""
    return max(1, min(MOST_STEPS, MOST_BELIEFS // beliefs, MOST_STATES // states))


def require_few(name: str, steps: Sequence[Any], outcomes: int, rnn: Network) -> None:
    """See that a network can be stepped through a sequence: that what it does fits into memory and a page.

    Raises:
        InputError: there are more steps than that.
    """
    most = most_steps(outcomes, len(directions_of(rnn)) * sum(rnn.states_form.widths))
    if len(steps) > most:
        raise InputError(f"{name}: expected at most {most:,} steps to step through, got {len(steps):,}; take a part")
