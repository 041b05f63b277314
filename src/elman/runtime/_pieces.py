"""Sequences cut into pieces: where they end, and where they begin anew."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Pieces"]

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Pieces:
    """The pieces of a batch, sequence after sequence; a sequence of no steps has none.

    Attributes:
        rows: (pieces,) the place of each piece's sequence in the batch.
        starts: (pieces,) its first step.
        lengths: (pieces,) how many steps it has, one or more.
        anew: (pieces,) whether a reset begins it.
        last: (pieces,) whether its sequence ends with it.
    """

    rows: Integers
    starts: Integers
    lengths: Integers
    anew: Flags
    last: Flags

    @classmethod
    def of(cls, lengths: Integers, resets: Flags) -> "Pieces":
        """Cut sequences of ``lengths`` (batch,) before each step that ``resets`` (steps, batch) flag."""
        steps = np.arange(len(resets))[:, None]
        rows, starts = np.nonzero(((steps == 0) | resets).T & (steps < lengths).T)
        last = np.ones(len(rows), bool)
        last[:-1] = rows[1:] != rows[:-1]
        ends = lengths[rows]
        ends[:-1] = np.where(last[:-1], ends[:-1], starts[1:])
        return cls(rows, starts, ends - starts, resets[starts, rows], last)
