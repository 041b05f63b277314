"""A validation part set aside, each class in its proportion."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["stratified_split"]


def stratified_split(
    labels: NDArray[np.int64], fraction: float, seed: int
) -> tuple[list[int], list[int], Sequence[int]]:
    """Set aside a fraction of every class that is large enough to spare one.

    Args:
        labels: (examples,) the number of each example's class.
        fraction: of the examples, for validation.
        seed: of the draw.

    Returns:
        The places of the training part and of the validation part, each in order, and the classes that are
        too rare to be in both and stay in training.
    """
    generator = np.random.default_rng(seed)
    validation: list[int] = []
    rare = []
    for label in np.unique(labels).tolist():
        places = generator.permutation(np.flatnonzero(labels == label))
        share = min(int(len(places) * fraction + 0.5), len(places) - 1)
        if share == 0 and fraction > 0:
            rare.append(label)
        validation += places[:share].tolist()
    kept = set(validation)
    return [i for i in range(len(labels)) if i not in kept], sorted(validation), rare
