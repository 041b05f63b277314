"""N-grams as rows of a table: what a model that counts would count, a network can read or add to its scores."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from elman._limits import Ngram, Size
from elman._schema import UNSAID
from elman.runtime._arrays import Array

__all__ = ["MULTIPLIER", "ROW_SHIFT", "SHIFT", "CountedNgrams", "ngram_rows", "rows_around", "summed_rows"]

MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: neighbouring numbers land far apart
SHIFT, ROW_SHIFT = np.uint64(29), np.uint64(33)
_BEGINNING = 1 << 32  # added to the numbers of n-grams that begin with a token: the same tokens, another row


@dataclass(frozen=True, kw_only=True)
class CountedNgrams:
    """What settings say of n-grams that add to a network's scores by themselves.

    Args:
        ngram: tokens of the longest; 1: there are none, as in older models.
        ngram_rows: of their table.
    """

    ngram: Ngram = field(default=1, metadata=UNSAID)
    ngram_rows: Size = field(default=1, metadata=UNSAID)

    def ngram_shapes(self, outputs: int) -> dict[str, tuple[int, ...]]:
        """Return the shape of the table, a row of scores each, by its name."""
        return {"ngrams.weight": (self.ngram_rows, outputs)} if self.ngram > 1 else {}

    def describe_ngrams(self) -> str:
        """Say what they are in the rest of a list; nothing if there are none."""
        return f", n-grams of up to {self.ngram} tokens in {self.ngram_rows:,} rows" if self.ngram > 1 else ""


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
        found[back - 1] = (hashes >> ROW_SHIFT) % np.uint64(rows)
    return found


def rows_around(windows: Array, longest: int, rows: int) -> NDArray[np.int64]:
    """Return the rows of the n-grams, of 2 to ``longest`` tokens, that end with a token, and that begin with it.

    Args:
        windows: (tokens, before + 1 + after), integers: each token with ``longest - 1`` before it, and as many after it
            or none: then n-grams that begin with it have no rows.
        longest, rows: as for :func:`ngram_rows`.

    Returns:
        (longest - 1, tokens) or (2 * (longest - 1), tokens), each from 0 to ``rows - 1``.
    """
    ending = ngram_rows(windows[:, :longest], longest, rows)[..., 0]
    if windows.shape[1] == longest:
        return ending
    beginning = ngram_rows(windows[:, : longest - 2 : -1] + _BEGINNING, longest, rows)[..., 0]
    return np.concatenate([ending, beginning])


def summed_rows(table: Array, rows: NDArray[np.int64]) -> Array:
    """Return what n-grams come to, (..., width): the rows of a table, (rows, width), added one size after the other."""
    summed: Array = table[rows[0]]
    for of_size in rows[1:]:
        summed = summed + table[of_size]
    return summed


def _mixed(hashes: Array) -> Array:
    mixed: Array = (hashes ^ (hashes >> SHIFT)) * MULTIPLIER
    return mixed
