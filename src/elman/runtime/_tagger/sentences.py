"""Sentences as numbers: of their words, and of the characters of each distinct word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from elman.runtime._packing import Packing
from elman.runtime._vocabulary import PADDING, Vocabulary
from elman.runtime._words import older
from elman.runtime._words.segmentation import composed, lookup

__all__ = ["EncodedSentences", "SentenceBatch"]

Integers = NDArray[np.int64]

LONGEST_SPELLING = 40  # characters read of a word
TOKENS_AT_ONCE = 4096


@dataclass(frozen=True)
class SentenceBatch:
    """Some sentences, packed, and the distinct words in them, packed by their characters.

    Attributes:
        tokens: (rows,) where the token of each packed row stands among those of all sentences.
        words: (rows,) the number of its word.
        windows: (rows, before + 1 + after) its number and those of the words around it, 0 where there are none.
        spellings: (rows,) the place of its spelling among those packed.
        batch_sizes: (steps,) of the packed sentences.
        characters: (character rows,) the numbers of the characters of the spellings.
        spelling_sizes: (character steps,) of the packed spellings.
    """

    tokens: Integers
    words: Integers
    windows: Integers
    spellings: Integers
    batch_sizes: Integers
    characters: Integers
    spelling_sizes: Integers


class EncodedSentences:
    """Sentences as numbers.

    Args:
        sentences: the tokens of each.
        words: the vocabulary of words as :func:`elman.runtime._words.segmentation.lookup` gives them.
        characters: that of the characters in them, composed (NFC).
        tokens: ``older word``: as older models look words up, and their characters as they are.
        sides: how many words before each, and after it, a batch tells.

    Attributes:
        lengths: (sentences,) the tokens of each.
    """

    def __init__(
        self,
        sentences: Sequence[Sequence[str]],
        words: Vocabulary,
        characters: Vocabulary,
        tokens: str = "word",
        sides: tuple[int, int] = (0, 0),
    ) -> None:
        known_as = older.lookup if tokens == "older word" else lookup
        read_as = str if tokens == "older word" else composed
        self.lengths = np.array([len(sentence) for sentence in sentences], dtype=np.int64)
        self.starts = np.cumsum(self.lengths) - self.lengths
        distinct: dict[str, int] = {}
        numbers = [distinct.setdefault(token, len(distinct)) for sentence in sentences for token in sentence]
        self._spellings = np.array(numbers, dtype=np.int64)
        of_distinct = np.array(words.numbers([known_as(token) for token in distinct]), dtype=np.int64)
        self._words = of_distinct[self._spellings]
        before, after = sides
        self._around = np.arange(-before, after + 1)
        spelled = [characters.encode(read_as(token)[:LONGEST_SPELLING]) for token in distinct]
        self._spelling_lengths = np.array([len(spelling) for spelling in spelled], dtype=np.int64)
        self._spelling_starts = np.cumsum(self._spelling_lengths) - self._spelling_lengths
        self._characters = np.array([number for spelling in spelled for number in spelling], dtype=np.int64)

    def batch(self, places: Sequence[int] | Integers) -> SentenceBatch:
        """Return the sentences of some places, at least one of which is not empty."""
        packing = Packing.of(self.lengths[places])
        tokens = self.starts[places][packing.places] + packing.steps
        steps = packing.steps[:, None] + self._around
        within = (steps >= 0) & (steps < self.lengths[places][packing.places][:, None])
        windows = np.where(within, self._words[np.where(within, tokens[:, None] + self._around, 0)], PADDING)
        distinct, which = np.unique(self._spellings[tokens], return_inverse=True)
        spelling = Packing.of(self._spelling_lengths[distinct])
        characters = self._characters[self._spelling_starts[distinct][spelling.places] + spelling.steps]
        ranks = np.argsort(spelling.order)
        return SentenceBatch(
            tokens, self._words[tokens], windows, ranks[which], packing.batch_sizes, characters, spelling.batch_sizes
        )

    def batches(self) -> Iterator[SentenceBatch]:
        """Yield all sentences that are not empty, the shortest first, some thousands of tokens at a time."""
        order = np.argsort(self.lengths, kind="stable")
        order = order[self.lengths[order] > 0]
        filled = np.cumsum(self.lengths[order]) // TOKENS_AT_ONCE
        for places in np.split(order, np.flatnonzero(np.diff(filled)) + 1):
            if len(places):
                yield self.batch(places)

    def by_sentence(self, rows: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Return what belongs to each sentence of the rows, (tokens, …), of all."""
        return np.split(rows, self.starts[1:]) if len(self.starts) else []
