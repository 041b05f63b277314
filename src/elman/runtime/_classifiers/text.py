"""A trained text classifier on NumPy and the engine alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from elman import _engine
from elman._errors import InputError
from elman.runtime._arrays import Array
from elman.runtime._classifiers.base import READING_BATCH, TrainedClassifier
from elman.runtime._classifiers.text_settings import TextSettings
from elman.runtime._ngrams import ngram_rows, summed_rows
from elman.runtime._packing import Packing
from elman.runtime._trace.trace import Trace, directions_of, layer_states, require_few
from elman.runtime._vocabulary import PADDING, UNKNOWN, Vocabulary, tokenize

if TYPE_CHECKING:
    from elman.runtime._classifiers.text_stream import TextStream

__all__ = ["TextClassifier", "checked_texts", "ngram_scores"]


class TextClassifier(TrainedClassifier):
    """What ``elman train classify`` trained, without PyTorch.

    The scores are linear in what each hidden unit does over the text's own steps: its greatest value, its mean, and
    its state after the last step of its direction; and in which n-grams the text has, which counts the more in a sum
    the fewer they are::

        h_1 … h_n = RNN(embedding(x_1) … embedding(x_n))        g_t = sum_k ngrams(x_t-k+1 … x_t)
        scores = W [max_t h_t, mean_t h_t, h_n] + b + sqrt(n) mean_t g_t

    A text's probabilities are the same bits alone and in any batch, and those that training was validated by.
    Immutable: threads may share one.

    Args:
        settings: the labels, how a text becomes tokens, the network's sizes.
        tensors: the parameters by name: ``embedding.weight`` (tokens, embedding_size), ``ngrams.weight`` (ngram_rows,
            classes) unless ``ngram`` is 1, ``rnn.*`` as ``rnn`` takes them, ``output.weight``
            (classes, 3 * directions * hidden_size), ``output.bias`` (classes,).
        vocabularies: ``vocabulary``, the tokens known.

    Attributes:
        classes: (classes,) the labels, in the order of the probabilities.
        rnn: the recurrent layers, an :class:`elman.runtime.RNN`, ``GRU`` or ``LSTM``.

    Raises:
        InputError: a tensor is missing, or not of float32, or of another shape than the settings say.

    Example:
        >>> import elman
        >>> texts, labels = ["good food", "bad food"] * 20, ["yes", "no"] * 20
        >>> elman.tasks.TextClassifier(hidden_size=8, epochs=5).fit(texts, labels).save("reviews")
        >>> classifier = elman.load("reviews")  # here and below without PyTorch
        >>> classifier.predict(["good food", "bad food"]).tolist()
        ['yes', 'no']
        >>> classifier.predict_proba(["good food"]).shape
        (1, 2)
    """

    format = "elman text classifier"
    example = "text"
    Settings = TextSettings
    vocabulary_names = ("vocabulary",)

    def __init__(
        self, settings: TextSettings, tensors: Mapping[str, Array], vocabularies: Mapping[str, Vocabulary]
    ) -> None:
        super().__init__(settings, tensors, vocabularies)
        self.vocabulary = vocabularies["vocabulary"]
        text = settings.text
        self.tokens, self.segmentation = text.tokens, text.segmentation
        self.max_length, self.columns = text.max_length, text.columns
        self.embedding, self.ngrams = self._tensors["embedding.weight"], self._tensors.get("ngrams.weight")
        self.context = settings.network.ngram - 1

    def with_columns(self, columns: Mapping[str, Any]) -> TextClassifier:
        settings = replace(self.settings, text=replace(self.settings.text, columns=dict(columns)))
        return type(self)(settings, self._tensors, self.vocabularies)

    def predict_proba(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the probability of each class, (examples, classes), in the order of ``classes``.

        Raises:
            InputError: ``texts`` is no sequence of strings.
        """
        return self._probabilities([self.encode(text) for text in checked_texts(texts)])

    def stream(self) -> TextStream:
        """Return a text that is read piece by piece, with its probabilities so far.

        Raises:
            InputError: the network is bidirectional and can only read whole texts.
        """
        from elman.runtime._classifiers.text_stream import TextStream

        return TextStream(self)

    def trace(self, text: str) -> Trace:
        """Step through a text: the hidden states, and the class probabilities were the text to end after each token.

        Args:
            text: as for :meth:`predict_proba`, of which only the first ``max_length`` tokens are read.

        Returns:
            ``read``: (steps,) the tokens between the marks of the text's start and end; ``beliefs``: (steps, classes)
            those after a token are what :meth:`predict_proba` says of the text up to it, to the bit, in one direction
            or two.

        Raises:
            InputError: ``text`` is no string, or longer than can be stepped through.
        """
        if not isinstance(text, str):
            raise InputError(f"text: expected a string, got {type(text).__name__}")
        tokens, _ = tokenize(text, self.settings.text.kind_of_tokens, self.max_length)
        require_few("text", tokens, len(self.classes), self.rnn)
        ends = range(len(tokens) + 1)
        chunks = (ends[first : first + READING_BATCH] for first in range(0, len(ends), READING_BATCH))
        beliefs = [self._probabilities([self.encode_tokens(tokens[:end]) for end in chunk]) for chunk in chunks]
        numbers = np.array(self.encode_tokens(tokens))
        return Trace(
            kind=self.format.removeprefix("elman "),
            read=[self.vocabulary.tokens[numbers[0]], *tokens, self.vocabulary.tokens[numbers[-1]]],
            states=layer_states(self.rnn, self._read(numbers)),
            readers=directions_of(self.rnn),
            outcomes=[str(label) for label in self.classes],
            beliefs=(probabilities := np.concatenate([*beliefs, beliefs[-1][-1:]])),
            taken=probabilities.argmax(1),
            known=numbers != UNKNOWN,
        )

    def encode(self, text: str) -> list[int]:
        """Return the numbers of a text's tokens between the marks of its start and end."""
        return self.encode_tokens(tokenize(text, self.settings.text.kind_of_tokens, self.max_length)[0])

    def encode_tokens(self, tokens: Sequence[str]) -> list[int]:
        """Return the numbers of tokens between the marks of a text's start and end."""
        return self.vocabulary.encode(tokens)

    def ngram_terms(self, windows: Array) -> Array:
        """Return what n-grams add, (..., steps, classes), at the end of each, of numbers (..., ngram - 1 + steps)."""
        if self.ngrams is None:
            return np.zeros((*windows.shape, len(self.classes)), np.float32)
        return summed_rows(self.ngrams, ngram_rows(windows, self.context + 1, len(self.ngrams)))

    def _read(self, rows: Array) -> Array:
        return self.embedding[rows]

    def _batch_scores(self, encoded: Sequence[Any], lengths: NDArray[np.int64]) -> Array:
        scores = super()._batch_scores(encoded, lengths)
        if self.ngrams is not None:
            packing, classes = Packing.of(lengths), len(self.classes)
            windows = np.full((len(encoded), self.context + int(lengths.max())), PADDING)
            for window, numbers in zip(windows, encoded, strict=True):
                window[self.context : self.context + len(numbers)] = numbers
            terms = self.ngram_terms(windows)[packing.places, packing.steps]
            pooled = np.empty((len(encoded), 2 * classes), np.float32)
            _engine.pool(terms, packing.batch_sizes, pooled)
            scores[packing.order] += ngram_scores(pooled[:, classes:], lengths[packing.order, None])
        return scores

    def __repr__(self) -> str:
        sizes = f"{len(self.classes)} classes, {len(self.vocabulary)} tokens ({self.tokens})"
        return f"TextClassifier({sizes}, {self.rnn!r})"


def ngram_scores(means: Array, steps: Any) -> Array:
    """Return what n-grams add to the scores, given the means of their terms over so many steps."""
    scores: Array = means * np.sqrt(steps, dtype=np.float32)
    return scores


def checked_texts(texts: Any) -> list[str]:
    """Return ``texts`` as a list of strings.

    Raises:
        InputError: it is one text, or holds something else.
    """
    if isinstance(texts, str | bytes):
        raise InputError("texts: expected a sequence of texts, got one text")
    try:
        checked = list(texts)
    except TypeError:
        raise InputError(f"texts: expected a sequence of texts, got {type(texts).__name__}") from None
    for place, text in enumerate(checked):
        if not isinstance(text, str):
            missing = text is None or (isinstance(text, float) and math.isnan(text))  # NaN, as tables have it
            raise InputError(
                f"texts[{place}]: expected a text, got {'a missing value' if missing else type(text).__name__}"
            )
    return checked
