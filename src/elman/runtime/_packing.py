"""Sequences of several lengths, packed: the rows of one step behind those of the step before."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Packing"]

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Packing:
    """How sequences lie in packed rows; those of length 0 have none.

    Attributes:
        order: (sequences,) the places of the sequences, the longest first.
        batch_sizes: (steps,) how many still run at each step.
        steps: (rows,) the step of each packed row.
        places: (rows,) the place of its sequence.
    """

    order: Integers
    batch_sizes: Integers
    steps: Integers
    places: Integers

    @classmethod
    def of(cls, lengths: Integers) -> "Packing":
        """Pack sequences of these lengths, (batch,)."""
        order = np.argsort(-lengths, kind="stable")
        order = order[lengths[order] > 0]
        ended = np.cumsum(np.bincount(lengths[order]))  # of how many no row is left at each step
        batch_sizes = len(order) - ended[:-1]
        steps = np.repeat(np.arange(len(batch_sizes)), batch_sizes)
        ranks = np.arange(len(steps)) - np.repeat(np.cumsum(batch_sizes) - batch_sizes, batch_sizes)
        return cls(order, batch_sizes, steps, order[ranks])
