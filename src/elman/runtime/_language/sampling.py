"""Drawing a token by the scores of all."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from elman._checks import is_integer, is_number
from elman._errors import InputError, OptionError
from elman.runtime._arrays import Array
from elman.runtime._linear import softmax

__all__ = ["Sampling"]


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn.

    Args:
        temperature: the scores are divided by it: below 1 the likely become likelier; 0 takes the likeliest always.
        top_k: how many of the likeliest may be drawn; None: all.
        top_p: the likeliest that together reach this probability may be drawn, at that temperature; None: all.

    Raises:
        OptionError: one of them is out of range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        if not (is_number(self.temperature) and 0 <= self.temperature < math.inf):
            raise OptionError("temperature", "a number of at least 0", self.temperature)
        if self.top_k is not None and not is_integer(self.top_k, 1):
            raise OptionError("top_k", "an integer of at least 1", self.top_k)
        if self.top_p is not None and not (is_number(self.top_p) and 0 < self.top_p <= 1):
            raise OptionError("top_p", "a number above 0, at most 1", self.top_p)

    def probabilities(self, scores: Array) -> NDArray[np.float64]:
        """Return the probability, (tokens,), with which each token is drawn.

        Args:
            scores: (tokens,) what the output layer returned; -inf for a token that may not be drawn.

        Raises:
            InputError: none of them may be drawn, or there is a NaN.
        """
        wide = scores.astype(np.float64)
        if not math.isfinite(wide.max()):
            raise InputError(f"scores: expected finite ones of the tokens to draw from, got {wide.max()} at most")
        if self.temperature == 0:
            likeliest: NDArray[np.float64] = (np.arange(len(wide)) == wide.argmax()).astype(np.float64)
            return likeliest
        # taken from the greatest first, so that no temperature makes an infinity of it
        probabilities: NDArray[np.float64] = softmax(((wide - wide.max()) / self.temperature)[None])[0]
        if self.top_k is None and self.top_p is None:
            return probabilities
        order = np.argsort(-probabilities, kind="stable")[: self.top_k]
        if self.top_p is not None:
            before = np.concatenate([[0.0], np.cumsum(probabilities[order])[:-1]])
            order = order[before < self.top_p]
        kept = np.zeros_like(probabilities)
        kept[order] = probabilities[order]
        kept /= math.fsum(kept.tolist())
        return kept

    def draw(self, scores: Array, generator: np.random.Generator) -> int:
        """Return the number of a token, by one random number and the inverse of the distribution function."""
        sums = np.cumsum(self.probabilities(scores))
        place = np.searchsorted(sums, generator.random() * sums[-1], side="right")
        return int(min(place, np.searchsorted(sums, sums[-1])))
