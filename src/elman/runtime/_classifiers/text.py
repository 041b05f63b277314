"""A trained text classifier on NumPy and the engine alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from elman._errors import InputError
from elman.runtime._arrays import Array
from elman.runtime._classifiers.base import TrainedClassifier
from elman.runtime._classifiers.text_settings import TextSettings
from elman.runtime._vocabulary import Vocabulary, encode

if TYPE_CHECKING:
    from elman.runtime._classifiers.text_stream import TextStream

__all__ = ["TextClassifier", "checked_texts"]


class TextClassifier(TrainedClassifier):
    """What ``elman train classify`` trained, without PyTorch.

    The scores are linear in what each hidden unit does over the text's own steps: its greatest value, its mean, and
    its state after the last step of its direction::

        h_1 … h_n = RNN(embedding(x_1) … embedding(x_n))        scores = W [max_t h_t, mean_t h_t, h_n] + b

    A text's probabilities are the same bits alone and in any batch, and those that training was validated by.
    Immutable: threads may share one.

    Args:
        settings: the labels, how a text becomes tokens, the network's sizes.
        tensors: the parameters by name: ``embedding.weight`` (tokens, embedding_size), ``rnn.*`` as
            :class:`elman.runtime.RNN` takes them, ``output.weight`` (classes, 3 * directions * hidden_size),
            ``output.bias`` (classes,).
        vocabularies: ``vocabulary``, the tokens known.

    Attributes:
        classes: (classes,) the labels, in the order of the probabilities.
        rnn: the :class:`elman.runtime.RNN` within.

    Raises:
        InputError: a tensor is missing, or not of float32, or of another shape than the settings say.
    """

    format = "elman text classifier"
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
        self.embedding = self._tensors["embedding.weight"]

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

    def encode(self, text: str) -> list[int]:
        """Return the numbers of a text's tokens between the marks of its start and end."""
        return encode(text, self.vocabulary, self.settings.text.kind_of_tokens, self.max_length)

    def _read(self, rows: Array) -> Array:
        return self.embedding[rows]

    def __repr__(self) -> str:
        sizes = f"{len(self.classes)} classes, {len(self.vocabulary)} tokens ({self.tokens})"
        return f"TextClassifier({sizes}, {self.rnn!r})"


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
