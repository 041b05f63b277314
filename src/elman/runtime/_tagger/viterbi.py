"""The likeliest tags of a sentence among those that may follow one another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from elman.runtime._arrays import Array

__all__ = ["finite", "likeliest_path"]

LEAST = -1e30  # in place of what a damaged network says


def likeliest_path(logarithms: Array, transitions: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the tags, (steps,), of which the logarithms and those of their transitions have the greatest sum.

    The same sums in the same order whatever the sentence stands beside; of equal ones the tag numbered lowest.

    Args:
        logarithms: (steps, tags) of the probabilities, one step or more.
        transitions: (tags + 1, tags + 1) what is added where a tag (columns) follows another (rows), minus infinity
            where it may not; the last row and column stand for what is before the sentence and after it. There is a
            path that may be.
    """
    path: NDArray[np.int64] = logarithms.argmax(1)
    around = np.concatenate([[-1], path, [-1]])
    if (transitions[around[:-1], around[1:]] == transitions.max()).all():
        return path  # nothing is likelier than the likeliest of each step
    logarithms = finite(logarithms)
    begin, between, end = transitions[-1, :-1], transitions[:-1, :-1], transitions[:-1, -1]
    best, places = logarithms[0] + begin, np.arange(logarithms.shape[1])
    came_from = np.empty(logarithms.shape, np.int64)
    for step in range(1, len(logarithms)):
        reached = best[:, None] + between
        came_from[step] = reached.argmax(0)
        best = reached[came_from[step], places] + logarithms[step]
    path[-1] = (best + end).argmax()
    for step in range(len(logarithms) - 1, 0, -1):
        path[step - 1] = came_from[step, path[step]]
    return path


def finite(logarithms: Array) -> NDArray[np.float64]:
    """Return logarithms, whatever was in their place, as numbers of which sums are finite."""
    return np.clip(np.nan_to_num(logarithms.astype(np.float64), nan=LEAST), LEAST, -LEAST)
