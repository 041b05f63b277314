"""The networks of classifiers: recurrent layers, pooling over steps, output layer, and what they read."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import dropout
from torch.nn.utils.rnn import pack_padded_sequence

from elman import ops
from elman.nn import Linear
from elman.runtime._classifiers.settings import ClassifierSizes
from elman.runtime._classifiers.text_settings import TextSizes
from elman.runtime._ngrams import ngram_rows
from elman.runtime._states import hidden_states
from elman.runtime._vocabulary import PADDING, SPECIAL_TOKENS, UNKNOWN
from elman.tasks._layers import EMBEDDING_SCALE, NgramScores, recurrent_layers

__all__ = ["ClassifierNetwork", "SequenceNetwork", "TextNetwork"]

NGRAM_DROPOUT, NGRAM_GAIN = 0.3, 4.0  # of n-grams of letters, most of them in few texts


class ClassifierNetwork(nn.Module):
    """Score classes of sequences.

    The scores are linear in what each hidden unit does over the sequence's own steps: its greatest value, its mean,
    and its state after the last step of its direction::

        h_1 … h_n = RNN(x_1 … x_n)        scores = W [max_t h_t, mean_t h_t, h_n] + b

    In trials on validation parts the three together did better than the maximum alone. With :mod:`elman.nn`'s layers
    the scores are those of the runtime's classifiers, to the bit.

    Parameters by name: ``rnn.*`` as PyTorch's layers have them; ``output.weight`` (classes, 3 * directions *
    hidden_size), ``output.bias`` (classes,). In each third of ``output.weight`` the forward direction comes first.
    """

    def add_layers(self, sizes: ClassifierSizes, input_size: int, classes: int, *, dropout: float, engine: str) -> None:
        """Add the recurrent layers and the output layer, behind the layers that there are."""
        self.rnn = recurrent_layers(sizes, input_size, dropout=dropout, engine=engine)
        self.output = Linear(3 * sizes.features, classes, dtype=torch.float32)
        self.dropout = dropout

    def scores(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores, (batch, classes), of inputs (steps, batch, input_size) with their lengths (batch,)."""
        packed = pack_padded_sequence(inputs, lengths, enforce_sorted=False)
        states, final = self.rnn(packed)
        h_n = hidden_states(final)
        last = h_n[-2:].transpose(0, 1).flatten(1) if self.rnn.bidirectional else h_n[-1]
        of_steps = ops.pool(states.data, states.batch_sizes)[states.unsorted_indices]
        pooled = torch.cat([of_steps, last], 1)
        scores: Tensor = self.output(dropout(pooled, self.dropout, self.training))
        return scores


class TextNetwork(ClassifierNetwork):
    """Score the classes of texts: a :class:`ClassifierNetwork` that reads embeddings of tokens, and counts n-grams.

    Its further parameters are ``embedding.weight`` (tokens, embedding_size) and, unless ``ngram`` is 1,
    ``ngrams.weight`` (ngram_rows, classes), what each n-gram adds to the scores.
    """

    def __init__(
        self,
        sizes: TextSizes,
        tokens: int,
        classes: int,
        *,
        embedding_dropout: float,
        unknown_rate: float,
        **options: Any,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, sizes.embedding_size, padding_idx=PADDING, dtype=torch.float32)
        self.add_layers(sizes, sizes.embedding_size, classes, **options)
        self.embedding_dropout, self.unknown_rate = embedding_dropout, unknown_rate
        nn.init.normal_(self.embedding.weight, std=EMBEDDING_SCALE)
        with torch.no_grad():
            self.embedding.weight[PADDING].zero_()
        self.context, self.ngrams = sizes.ngram - 1, None
        if self.context:
            self.ngrams = NgramScores(sizes.ngram_rows, classes, dropout=NGRAM_DROPOUT, gain=NGRAM_GAIN)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores, (batch, classes), of tokens (batch, steps) with their lengths (batch,)."""
        read = tokens
        if self.training:
            drawn = torch.rand(tokens.shape, dtype=torch.float32) < self.unknown_rate
            read = tokens.masked_fill(drawn & (tokens >= len(SPECIAL_TOKENS)), UNKNOWN)
        embedded = dropout(self.embedding(read.T), self.embedding_dropout, self.training)
        scores = self.scores(embedded, lengths)
        return scores if self.ngrams is None else scores + self._ngram_scores(self.ngrams, tokens, lengths)

    def _ngram_scores(self, ngrams: NgramScores, tokens: Tensor, lengths: Tensor) -> Tensor:
        windows = np.pad(tokens.numpy(), ((0, 0), (self.context, 0)), constant_values=PADDING)
        rows = torch.from_numpy(ngram_rows(windows, self.context + 1, ngrams.num_embeddings))
        packed = pack_padded_sequence(rows.permute(2, 1, 0), lengths, enforce_sorted=False)
        pooled = ops.pool(ngrams(packed.data), packed.batch_sizes)[packed.unsorted_indices]
        _, means = pooled.chunk(2, 1)
        return means * lengths[:, None].to(means.dtype).sqrt()  # as the runtime's ngram_scores


class SequenceNetwork(ClassifierNetwork):
    """Score the classes of sequences of numbers: a :class:`ClassifierNetwork` that reads frames of them."""

    def __init__(self, sizes: ClassifierSizes, input_size: int, classes: int, **options: Any) -> None:
        super().__init__()
        self.add_layers(sizes, input_size, classes, **options)

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores, (batch, classes), of frames (batch, steps, input_size) with their lengths (batch,)."""
        return self.scores(frames.transpose(0, 1), lengths)
