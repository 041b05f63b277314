"""Fixed convolutions beside a network: on what share of a sequence's steps each lies above thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from elman._limits import Size
from elman.runtime._arrays import Array
from elman.runtime._linear import Linear, linear_shapes
from elman.runtime._recurrent_sizes import Shapes

__all__ = ["KERNELS", "ConvolutionSizes", "Convolutions"]

TAPS = 9
KERNELS = np.full((84, TAPS), -1, np.float32)  # each with 2 at three of its taps, one kernel for each three
np.put_along_axis(KERNELS, np.array([*combinations(range(TAPS), 3)]), 2, 1)


@dataclass(frozen=True)
class ConvolutionSizes:
    """What settings say of them.

    Args:
        dilations: steps from tap to tap, of one set of kernels each; none, as in older models: no convolutions.
        thresholds: of each kernel.
    """

    dilations: list[Size] = field(default_factory=list)
    thresholds: Size = 1

    @property
    def kernels(self) -> int:
        return len(self.dilations) * len(KERNELS)

    @property
    def shares(self) -> int:
        """How many numbers a sequence becomes."""
        return self.kernels * self.thresholds

    def shapes(self, channels: int, classes: int) -> Shapes:
        """Return the shape of every tensor by its name; nothing if there are none."""
        if not self.dilations:
            return {}
        fixed = {"channels": (self.kernels, channels), "thresholds": (self.kernels, self.thresholds)}
        named = {f"convolutions.{name}": shape for name, shape in fixed.items()}
        return named | linear_shapes("convolutions", self.shares, classes)

    def describe(self) -> str:
        """Say what they are in the rest of a list; nothing if there are none."""
        return f", {self.shares:,} shares of steps by {self.kernels} fixed convolutions" if self.dilations else ""


class Convolutions:
    """MiniRocket (Dempster, Schmidt and Webb 2021): nothing of it is trained but what is linear in the shares.

    Args:
        dilations: as settings have them.
        channels: (kernels, channels) 1 where a kernel reads a channel, else 0.
        thresholds: (kernels, thresholds).
    """

    def __init__(self, dilations: Sequence[int], channels: Array, thresholds: Array) -> None:
        with np.errstate(over="ignore"):  # a stranger's channels may be any numbers
            weights = KERNELS[:, :, None] * channels.reshape(len(dilations), len(KERNELS), 1, -1)
        self._sets = [
            (dilation, Linear(weight.reshape(len(KERNELS), -1), None), above)
            for dilation, weight, above in zip(dilations, weights, np.split(thresholds, len(dilations)), strict=True)
        ]

    def responses(self, sequence: Array) -> list[Array]:
        """Return what the kernels of each dilation come to, (84, 1, steps), of a sequence (steps, channels)."""
        return [
            np.ascontiguousarray(convolve(_taps(sequence, dilation)).T)[:, None] for dilation, convolve, _ in self._sets
        ]

    def shares(self, sequences: Sequence[Array]) -> NDArray[np.float32]:
        """Return on what share of its steps each kernel lies above each threshold, (sequences, shares)."""
        rows = [
            np.concatenate(
                [
                    np.count_nonzero(response > above[:, :, None], -1).ravel() / len(sequence)
                    for response, (*_, above) in zip(self.responses(sequence), self._sets, strict=True)
                ]
            )
            for sequence in sequences
        ]
        return np.array(rows, np.float32)


def _taps(sequence: Array, dilation: int) -> Array:
    """Return what each tap reads at each step, (steps, taps * channels): zeros beyond the ends."""
    steps, channels = sequence.shape
    read = np.zeros((steps, TAPS, channels), np.float32)
    for tap in range(TAPS):
        shift = (tap - TAPS // 2) * dilation
        first, last = max(0, -shift), steps - max(0, shift)
        if first < last:
            read[first:last, tap] = sequence[first + shift : last + shift]
    return read.reshape(steps, -1)
