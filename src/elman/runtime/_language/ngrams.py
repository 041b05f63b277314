"""N-grams as rows of a table: what a model that counts would count, a recurrent network can read."""

import numpy as np
from numpy.typing import NDArray

from elman.runtime._arrays import Array

__all__ = ["ngram_rows"]

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: neighbouring numbers land far apart


def ngram_rows(numbers: Array, longest: int, rows: int) -> NDArray[np.int64]:
    """Return the row of each n-gram, of 2 to ``longest`` tokens, that ends with each token.

    Different n-grams may share a row: there are more of them than rows.

    Args:
        numbers: (..., longest - 1 + steps), integers; the first ``longest - 1`` are context alone.
        longest: tokens of the longest n-gram.
        rows: of the table.

    Returns:
        (longest - 1, ..., steps), each from 0 to ``rows - 1``.
    """
    codes = numbers.astype(np.uint64) + np.uint64(1)
    end = codes.shape[-1]
    hashes = _mixed(codes[..., longest - 1 :])
    found = np.empty((longest - 1, *hashes.shape), np.int64)
    for back in range(1, longest):
        hashes = _mixed(hashes + codes[..., longest - 1 - back : end - back])
        found[back - 1] = (hashes >> np.uint64(33)) % np.uint64(rows)
    return found


def _mixed(hashes: Array) -> Array:
    mixed: Array = (hashes ^ (hashes >> np.uint64(29))) * _MULTIPLIER
    return mixed
