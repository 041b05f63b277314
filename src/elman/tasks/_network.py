"""The network of a text classifier: embedding, recurrent layers, pooling over steps, output layer."""

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout
from torch.nn.utils.rnn import pack_padded_sequence

from elman import ops
from elman.nn import RNN, Linear
from elman.runtime._vocabulary import PADDING, SPECIAL_TOKENS, UNKNOWN

__all__ = ["TextNetwork", "recurrent_layer"]

EMBEDDING_SCALE = 0.5


def recurrent_layer(engine: str) -> type[nn.RNN]:
    """Return the class that ``--engine`` names: ``elman.nn.RNN`` or ``torch.nn.RNN``."""
    return nn.RNN if engine == "torch" else RNN


class TextNetwork(nn.Module):
    """Score the classes of texts.

    The scores are linear in what each hidden unit does over the text's own steps: its greatest value, its mean,
    and its state after the last step of its direction::

        h_1 … h_n = RNN(embedding(x_1) … embedding(x_n))        scores = W [max_t h_t, mean_t h_t, h_n] + b

    In trials on validation parts the three together did better than the maximum alone. With :class:`elman.nn.RNN` the
    scores are those of :class:`elman.runtime.TextClassifier`, to the bit.

    Parameters by name: ``embedding.weight`` (tokens, embedding_size); ``rnn.*`` as ``torch.nn.RNN`` has
    them; ``output.weight`` (classes, 3 * directions * hidden_size), ``output.bias`` (classes,). In each third
    of ``output.weight`` the forward direction comes first.
    """

    def __init__(
        self,
        tokens: int,
        classes: int,
        *,
        embedding_size: int,
        hidden_size: int,
        layers: int,
        bidirectional: bool,
        dropout: float,
        embedding_dropout: float,
        unknown_rate: float,
        engine: str,
    ) -> None:
        super().__init__()
        single = torch.float32  # whatever the caller's default is: model files hold it
        self.embedding = nn.Embedding(tokens, embedding_size, padding_idx=PADDING, dtype=single)
        self.rnn = recurrent_layer(engine)(
            embedding_size,
            hidden_size,
            layers,
            bidirectional=bidirectional,
            dropout=dropout if layers > 1 else 0.0,
            dtype=single,
        )
        self.output = Linear(3 * hidden_size * (2 if bidirectional else 1), classes, dtype=single)
        self.dropout, self.embedding_dropout = dropout, embedding_dropout
        self.unknown_rate = unknown_rate
        nn.init.normal_(self.embedding.weight, std=EMBEDDING_SCALE)
        with torch.no_grad():
            self.embedding.weight[PADDING].zero_()

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores, (batch, classes), of tokens (batch, steps) with their lengths (batch,)."""
        if self.training:
            drawn = torch.rand(tokens.shape, dtype=torch.float32) < self.unknown_rate
            tokens = tokens.masked_fill(drawn & (tokens >= len(SPECIAL_TOKENS)), UNKNOWN)
        embedded = dropout(self.embedding(tokens.T), self.embedding_dropout, self.training)
        packed = pack_padded_sequence(embedded, lengths, enforce_sorted=False)
        states, h_n = self.rnn(packed)
        final = h_n[-2:].transpose(0, 1).flatten(1) if self.rnn.bidirectional else h_n[-1]
        of_steps = ops.pool(states.data, states.batch_sizes)[states.unsorted_indices]
        pooled = torch.cat([of_steps, final], 1)
        scores: Tensor = self.output(dropout(pooled, self.dropout, self.training))
        return scores
