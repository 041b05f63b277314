"""What classifiers of texts and of sequences of numbers share, without PyTorch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman import _engine
from elman.runtime._arrays import Array
from elman.runtime._linear import Linear, softmax
from elman.runtime._packing import Packing
from elman.runtime._states import hidden_states
from elman.runtime._trained import TrainedModel
from elman.runtime._vocabulary import Vocabulary

__all__ = ["READING_BATCH", "TrainedClassifier"]

READING_BATCH = 64


class TrainedClassifier(TrainedModel):
    """Recurrent layers, their states pooled over a sequence's own steps, and an output layer.

    A kind of classifier encodes an example as an array that has a row for each step, and says what the recurrent
    layers read of such rows.

    Attributes:
        classes: (classes,) the labels, in the order of the probabilities.
        rnn: the recurrent layers, an :class:`elman.runtime.RNN`, ``GRU`` or ``LSTM``.
    """

    def __init__(
        self, settings: Any, tensors: Mapping[str, Array], vocabularies: Mapping[str, Vocabulary] | None = None
    ) -> None:
        super().__init__(settings, tensors, vocabularies)
        self.classes = np.array(settings.classes)
        parameters = self.tensors()
        self.output_weight, self.output_bias = parameters["output.weight"], parameters["output.bias"]
        self.rnn = settings.network.build(self.tensors_under("rnn."))
        self._output = Linear(self.output_weight, self.output_bias)

    @abstractmethod
    def predict_proba(self, examples: Any) -> NDArray[np.float32]:
        """Return the probability of each class, (examples, classes), in the order of ``classes``."""

    def predict(self, examples: Any) -> NDArray[Any]:
        """Return the likeliest class, (examples,), of each example."""
        return self.classes[self.predict_proba(examples).argmax(1)]  # type: ignore[no-any-return]

    def scores(self, encoded: Sequence[Any]) -> NDArray[np.float32]:
        """Return the scores, (examples, classes), of encoded examples."""
        lengths = np.array([len(rows) for rows in encoded], dtype=np.int64)
        scores = np.empty((len(encoded), len(self.classes)), np.float32)
        by_length = np.argsort(lengths, kind="stable")
        for first in range(0, len(encoded), READING_BATCH):
            places = by_length[first : first + READING_BATCH]
            scores[places] = self._batch_scores([encoded[place] for place in places], lengths[places])
        return scores

    def score_pooled(self, pooled: Array) -> Array:
        """Return the scores, (examples, classes), of [max, mean, final] states, (examples, 3 * features)."""
        return self._output(pooled)

    def _probabilities(self, encoded: Sequence[Any]) -> NDArray[np.float32]:
        return softmax(self.scores(encoded))

    def _read(self, rows: Array) -> Array:
        """Return what the recurrent layers read, (rows, input_size), of the rows of encoded examples."""
        return rows

    def _batch_scores(self, encoded: Sequence[Any], lengths: NDArray[np.int64]) -> Array:
        packing = Packing.of(lengths)
        rows, starts = np.concatenate([np.asarray(each) for each in encoded]), np.cumsum(lengths) - lengths
        read = self._read(rows[starts[packing.places] + packing.steps])
        states, final = self.rnn.run_packed(read, packing.batch_sizes)
        features = states.shape[1]
        pooled = np.empty((len(encoded), 3 * features), np.float32)
        _engine.pool(states, packing.batch_sizes, pooled)
        directions = 2 if self.rnn.bidirectional else 1
        pooled[:, 2 * features :] = hidden_states(final)[-directions:].swapaxes(0, 1).reshape(len(encoded), features)
        scores = np.empty((len(encoded), len(self.classes)), np.float32)
        scores[packing.order] = self.score_pooled(pooled)
        return scores
