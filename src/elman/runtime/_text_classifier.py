"""A trained text classifier on NumPy and the engine alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from elman import _engine
from elman._errors import InputError
from elman.runtime._arrays import Array
from elman.runtime._linear import Linear, softmax
from elman.runtime._packing import Packing
from elman.runtime._rnn import RNN
from elman.runtime._vocabulary import Vocabulary, encode

if TYPE_CHECKING:
    from elman.runtime._model_folder import Model
    from elman.runtime._text_stream import TextStream

__all__ = ["TextClassifier", "checked_texts"]

READING_BATCH = 64


class TextClassifier:
    """What ``elman train classify`` trained, without PyTorch.

    The scores are linear in what each hidden unit does over the text's own steps: its greatest value, its mean, and
    its state after the last step of its direction::

        h_1 … h_n = RNN(embedding(x_1) … embedding(x_n))        scores = W [max_t h_t, mean_t h_t, h_n] + b

    A text's probabilities are the same bits alone and in any batch, and those that training was validated by.
    Immutable: threads may share one.

    Args:
        tensors: the parameters by name: ``embedding.weight`` (tokens, embedding_size), ``rnn.*`` as
            :class:`elman.runtime.RNN` takes them, ``output.weight`` (classes, 3 * directions * hidden_size),
            ``output.bias`` (classes,).
        vocabulary: the tokens known.
        classes: the labels.
        tokens: ``"char"`` or ``"word"``: what a text is split into.
        max_length: tokens read of a text; what follows is not looked at.
        columns: what the columns of the training file were called.

    Attributes:
        classes: (classes,) the labels, in the order of the probabilities.
        rnn: the :class:`elman.runtime.RNN` within.

    Raises:
        InputError: a tensor is not of float32, or those of the network do not fit one another.
    """

    def __init__(
        self,
        tensors: Mapping[str, Array],
        vocabulary: Vocabulary,
        classes: Sequence[Any],
        tokens: str,
        max_length: int,
        columns: Mapping[str, str] | None = None,
    ) -> None:
        for name, array in tensors.items():
            if array.dtype != np.float32:
                raise InputError(f"{name}: expected float32, got {array.dtype}")
        self.vocabulary, self.classes, self.tokens, self.max_length = vocabulary, np.array(classes), tokens, max_length
        self.columns = dict(columns or {})
        # copies: tensors of a network in training go on to change
        self.embedding, self.output_weight, self.output_bias = (
            np.array(tensors[name], order="C") for name in ("embedding.weight", "output.weight", "output.bias")
        )
        within = {name.removeprefix("rnn."): array for name, array in tensors.items() if name.startswith("rnn.")}
        self.rnn = RNN(within)
        self._output = Linear(self.output_weight, self.output_bias)

    @classmethod
    def load(cls, folder: str | PathLike[str]) -> TextClassifier:
        """Read a model folder.

        Raises:
            InputError: it is no model folder, or of an unknown version, or damaged. Nothing in it is ever executed.
        """
        from elman.runtime._model_folder import read_model

        return cls.of(read_model(Path(folder), figures=False))

    @classmethod
    def of(cls, model: Model) -> TextClassifier:
        """Return what runs the contents of a model folder."""
        text = model.config.text
        return cls(model.tensors, model.vocabulary, model.config.classes, text.tokens, text.max_length, text.columns)

    def tensors(self) -> dict[str, Array]:
        """Return the parameters by name."""
        return {
            "embedding.weight": self.embedding,
            **{f"rnn.{name}": array for name, array in self.rnn.parameters.items()},
            "output.weight": self.output_weight,
            "output.bias": self.output_bias,
        }

    def predict(self, texts: Sequence[str]) -> NDArray[Any]:
        """Return the likeliest class, (examples,), of each text."""
        return self.classes[self.predict_proba(texts).argmax(1)]  # type: ignore[no-any-return]

    def predict_proba(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the probability of each class, (examples, classes), in the order of ``classes``.

        Raises:
            InputError: ``texts`` is no sequence of strings.
        """
        return softmax(self.scores([self.encode(text) for text in checked_texts(texts)]))

    def stream(self) -> TextStream:
        """Return a text that is read piece by piece, with its probabilities so far.

        Raises:
            InputError: the network is bidirectional and can only read whole texts.
        """
        from elman.runtime._text_stream import TextStream

        return TextStream(self)

    def encode(self, text: str) -> list[int]:
        """Return the numbers of a text's tokens between the marks of its start and end."""
        return encode(text, self.vocabulary, self.tokens, self.max_length)

    def scores(self, encoded: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return the scores, (examples, classes), of encoded texts."""
        lengths = np.array([len(numbers) for numbers in encoded], dtype=np.int64)
        scores = np.empty((len(encoded), len(self.classes)), np.float32)
        by_length = np.argsort(lengths, kind="stable")
        for first in range(0, len(encoded), READING_BATCH):
            places = by_length[first : first + READING_BATCH]
            scores[places] = self._batch_scores([encoded[place] for place in places], lengths[places])
        return scores

    def score_pooled(self, pooled: Array) -> Array:
        """Return the scores, (examples, classes), of [max, mean, final] states, (examples, 3 * features)."""
        return self._output(pooled)

    def _batch_scores(self, encoded: Sequence[Sequence[int]], lengths: NDArray[np.int64]) -> Array:
        packing = Packing.of(lengths)
        numbers, starts = np.concatenate([np.array(text) for text in encoded]), np.cumsum(lengths) - lengths
        embedded = self.embedding[numbers[starts[packing.places] + packing.steps]]
        states, h_n = self.rnn.run_packed(embedded, packing.batch_sizes)
        features = states.shape[1]
        pooled = np.empty((len(encoded), 3 * features), np.float32)
        _engine.pool(states, packing.batch_sizes, pooled)
        directions = 2 if self.rnn.bidirectional else 1
        pooled[:, 2 * features :] = h_n[-directions:].swapaxes(0, 1).reshape(len(encoded), features)
        scores = np.empty((len(encoded), len(self.classes)), np.float32)
        scores[packing.order] = self.score_pooled(pooled)
        return scores

    def __repr__(self) -> str:
        sizes = f"{len(self.classes)} classes, {len(self.vocabulary)} tokens ({self.tokens})"
        return f"TextClassifier({sizes}, {self.rnn!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        classes = self.classes.tolist()
        return type(self), (self.tensors(), self.vocabulary, classes, self.tokens, self.max_length, self.columns)


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
