"""A text that is classified while it comes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from elman._errors import InputError
from elman.runtime._arrays import Array
from elman.runtime._classifiers.text import ngram_scores
from elman.runtime._linear import softmax
from elman.runtime._vocabulary import PADDING

if TYPE_CHECKING:
    from elman.runtime._classifiers.text import TextClassifier

__all__ = ["TextStream"]


class TextStream:
    """A text read piece by piece; after each, the probabilities are those of the text so far, to the bit.

    Args:
        classifier: one whose network reads in one direction.

    Attributes:
        text: what has been read.

    Raises:
        InputError: the network is bidirectional and can only read whole texts.

    Example:
        >>> import elman
        >>> texts, labels = ["good food", "bad food"] * 20, ["yes", "no"] * 20
        >>> trained = elman.tasks.TextClassifier(bidirectional=False, hidden_size=8, epochs=5).fit(texts, labels)
        >>> trained.save("reviews")
        >>> classifier = elman.load("reviews")  # here and below without PyTorch
        >>> stream = classifier.stream()
        >>> for piece in ["bad ", "food"]:
        ...     probabilities = stream.step(piece)
        >>> stream.text, str(classifier.classes[probabilities.argmax()])
        ('bad food', 'no')
    """

    def __init__(self, classifier: TextClassifier) -> None:
        self.classifier = classifier
        self._stream = classifier.rnn.stream()
        self._read: list[int]
        self._summary: _Summary
        self.reset()

    def reset(self) -> None:
        """Begin another text."""
        self.text = ""
        self._begin()

    def step(self, text: str) -> NDArray[np.float32]:
        """Read on, and return the probability of each class, (classes,), were the text to end here.

        Args:
            text: the next piece; words and composed characters may be cut anywhere.

        Raises:
            InputError: it is no string; the text stays as it was.
        """
        if not isinstance(text, str):
            raise InputError(f"text: expected a string, got {type(text).__name__}")
        self.text += text
        numbers = self.classifier.encode(self.text)
        settled = numbers[:-2]  # the last before the end may be a word that goes on
        if settled[: len(self._read)] != self._read:  # what came changed tokens before it, as an accent may
            self._begin()
        windows = np.array([*[PADDING] * self.classifier.context, *numbers])[len(self._read) :]
        *unread, last, end = zip(numbers[len(self._read) :], self.classifier.ngram_terms(windows), strict=True)
        for number, term in unread:
            _, self._summary = self._advance(number, term, self._summary)
        self._read = settled
        state, summary = self._stream.state, self._summary
        for number, term in (last, end):
            hidden, summary = self._advance(number, term, summary)
        self._stream.state = state
        return softmax(self._scores(summary, hidden)).ravel()

    def copy(self) -> TextStream:
        """Return another stream that has read the same."""
        twin = type(self)(self.classifier)
        twin.text, twin._read, twin._summary = self.text, [*self._read], self._summary
        twin._stream.state = self._stream.state
        return twin

    __copy__ = copy

    def _begin(self) -> None:
        self._stream.reset()
        self._read = []
        features = self.classifier.rnn.hidden_size + len(self.classifier.classes)
        self._summary = _Summary(np.full(features, -np.inf, np.float32), np.zeros(features), 0)

    def _advance(self, number: int, term: Array, summary: _Summary) -> tuple[Array, _Summary]:
        hidden = self._stream.step(self.classifier.embedding[number])
        return hidden, summary.and_then(np.concatenate([hidden, term]))

    def _scores(self, summary: _Summary, hidden: Array) -> Array:
        units, mean = len(hidden), (summary.sum / summary.steps).astype(np.float32)
        pooled = np.concatenate([summary.largest[:units], mean[:units], hidden])
        return self.classifier.score_pooled(pooled[None]) + ngram_scores(mean[units:], summary.steps)


@dataclass(frozen=True)
class _Summary:
    """What a sequence has come to so far: the engine's pooling (elman/pooling.h), step by step."""

    largest: Array  # (features,): of the states, and what n-grams add
    sum: Array  # (features,), float64
    steps: int

    def and_then(self, features: Array) -> _Summary:
        largest = np.where((features > self.largest) | (features != features), features, self.largest)
        return _Summary(largest, self.sum + features, self.steps + 1)
