"""What the networks of all tasks are made of."""

from typing import Any

import torch
from torch import Tensor, from_numpy, nn
from torch.nn.functional import dropout, embedding_bag

import elman.nn
from elman.runtime._arrays import Array
from elman.runtime._ngrams import summed_rows
from elman.runtime._recurrent_sizes import RecurrentSizes

__all__ = ["EMBEDDING_SCALE", "NgramScores", "ngram_table_rows", "recurrent_layers", "trained_tensors"]

EMBEDDING_SCALE = 0.5  # deviation of the vectors of tokens before training
# Of a table of n-grams: AdamW goes over all of it at each step.
MOST_ROWS, MOST_SCORES = 1 << 15, 1 << 19


def ngram_table_rows(tokens: int, classes: int) -> int:
    """Return how many rows a table of n-grams should have, given how many tokens there are to learn from."""
    return max(1, min(MOST_ROWS, MOST_SCORES // classes, 1 << tokens.bit_length()))


def recurrent_layers(sizes: RecurrentSizes, input_size: int, *, dropout: float, engine: str) -> nn.RNNBase:
    """Return new recurrent layers.

    Args:
        sizes: what they are.
        input_size: features that the first reads.
        dropout: share of the features forgotten between layers.
        engine: ``"elman"`` for those of :mod:`elman.nn`, ``"torch"`` for those of :mod:`torch.nn`.
    """
    modules: Any = nn if engine == "torch" else elman.nn
    layers: nn.RNNBase = getattr(modules, sizes.family.title)(
        input_size,
        sizes.hidden_size,
        sizes.layers,
        bidirectional=sizes.bidirectional,
        dropout=dropout if sizes.layers > 1 else 0.0,
        dtype=torch.float32,  # whatever the caller's default is: model files hold it
    )
    return layers


class NgramScores(nn.Embedding):
    """What n-grams add to the scores of classes, or of tags, beside a network: the runtime's table, with its bits.

    In training an n-gram is forgotten as a whole: most occur so seldom that they are learned by heart.

    Args:
        rows, classes: of the table.
        dropout: share of the n-grams forgotten.
        gain: training works on this fraction of the scores, so that they learn the faster. A power of two: the trained
            model holds the product and has the same bits.
    """

    def __init__(self, rows: int, classes: int, *, dropout: float, gain: float) -> None:
        super().__init__(rows, classes, dtype=torch.float32)
        self.dropout, self.gain = dropout, gain
        nn.init.zeros_(self.weight)

    def forward(self, rows: Tensor) -> Tensor:
        """Return the sums, (tokens, classes), of rows (tokens, n-grams) of the table."""
        if not self.training:
            return from_numpy(summed_rows(self.table(), rows.T.numpy()))
        kept = dropout(torch.full(rows.shape, self.gain, dtype=torch.float32), self.dropout)
        return embedding_bag(rows, self.weight, mode="sum", per_sample_weights=kept)

    def table(self) -> Array:
        """Return the scores, (rows, classes), as the runtime has them."""
        scores: Array = (self.gain * self.weight).numpy(force=True)
        return scores


def trained_tensors(network: nn.Module) -> dict[str, Array]:
    """Return what a network has learned, as the runtime has it."""
    tensors = {name: value.numpy(force=True) for name, value in network.state_dict().items()}
    tables = {name: each.table() for name, each in network.named_modules() if isinstance(each, NgramScores)}
    return tensors | {f"{name}.weight": table for name, table in tables.items()}
