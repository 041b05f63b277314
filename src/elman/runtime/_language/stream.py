"""A text that a language model reads while it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from elman._errors import InputError, shown
from elman.runtime._arrays import Array
from elman.runtime._language.tokens import split
from elman.runtime._linear import softmax
from elman.runtime._vocabulary import PADDING

if TYPE_CHECKING:
    from elman.runtime._language.model import LanguageModel

__all__ = ["LanguageStream"]


class LanguageStream:
    """A text read piece by piece, with the probabilities of what comes next, to the bits of the whole text.

    Args:
        model: the language model.

    Attributes:
        scores: (tokens known,) of the token to come, before they are made probabilities.

    Example:
        >>> import elman
        >>> elman.tasks.LanguageModel(hidden_size=16, ngram=3, epochs=10).fit("to be or not to be, " * 50).save("be")
        >>> model = elman.load("be")  # here and below without PyTorch
        >>> stream = model.stream()
        >>> for piece in ["to be", " or no"]:
        ...     probabilities = stream.step(piece)
        >>> model.vocabulary.tokens[probabilities.argmax()]
        't'
    """

    def __init__(self, model: LanguageModel) -> None:
        self.model = model
        self._stream = model.rnn.stream()
        self.scores: Array
        self.reset()

    def reset(self) -> None:
        """Begin another text, as if after the end of a line."""
        self._stream.reset()
        self._context = np.full(self.model.context, PADDING, np.int64)
        self.read(np.array([self.model.opening]))

    def step(self, text: str) -> NDArray[np.float32]:
        """Read on, and return the probability, (tokens known,), of each token to come next.

        Args:
            text: the next piece: any number of whole tokens, such as characters.

        Raises:
            InputError: it is no string; the text stays as it was.
        """
        if not isinstance(text, str):
            raise InputError(f"text: expected a string, got {shown(text)}")
        self.read(self.model.numbers(split(text, self.model.kind_of_tokens)))
        probabilities: Array = softmax(self.scores[None])[0]
        return probabilities

    def read(self, numbers: NDArray[np.int64]) -> Array:
        """Read tokens by their numbers, and return the scores, (steps, tokens known), after each."""
        if not len(numbers):
            return np.empty((0, len(self.model.vocabulary)), np.float32)
        windows = np.concatenate([self._context, numbers])
        embedded = self.model.embed(windows)
        if len(numbers) == 1:
            states = self._stream.step(embedded[0])[None]
        else:
            states, final = self.model.rnn(embedded[:, None], self._stream.state)
            states, self._stream.state = states[:, 0], final
        self._context = windows[len(numbers) :]
        scores = self.model.score(states)
        self.scores = scores[-1]
        return scores

    def copy(self) -> LanguageStream:
        """Return another stream that has read the same."""
        twin = type(self)(self.model)
        twin._stream.state, twin._context, twin.scores = self._stream.state, self._context, self.scores
        return twin

    __copy__ = copy
