"""Packed sequences that lie among padded ones."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["places_of_rows"]

Integers = NDArray[np.int64]


def places_of_rows(batch_sizes: Any, places: Any) -> tuple[Integers, Integers]:
    """Return the step and the sequence at which each packed row lies, (rows,) each.

    Args:
        batch_sizes: (steps,) the packed rows of each step.
        places: (packed sequences, 2) the step and the sequence at which each begins.
    """
    sizes, (starts, sequences) = np.asarray(batch_sizes), np.asarray(places).T
    steps = np.repeat(np.arange(len(sizes)), sizes)
    packed = np.arange(len(steps)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return starts[packed] + steps, sequences[packed]
