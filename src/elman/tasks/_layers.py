"""What the networks of all tasks are made of."""

import torch
from torch import nn

from elman.nn import RNN
from elman.runtime._recurrent import Recurrent

__all__ = ["EMBEDDING_SCALE", "recurrent_layers"]

EMBEDDING_SCALE = 0.5  # deviation of the vectors of tokens before training


def recurrent_layers(sizes: Recurrent, input_size: int, *, dropout: float, engine: str) -> nn.RNN:
    """Return new recurrent layers.

    Args:
        sizes: what they are.
        input_size: features that the first reads.
        dropout: share of the features forgotten between layers.
        engine: ``"elman"`` for those of :class:`elman.nn.RNN`, ``"torch"`` for :class:`torch.nn.RNN`.
    """
    return (nn.RNN if engine == "torch" else RNN)(
        input_size,
        sizes.hidden_size,
        sizes.layers,
        nonlinearity=sizes.nonlinearity,
        bidirectional=sizes.bidirectional,
        dropout=dropout if sizes.layers > 1 else 0.0,
        dtype=torch.float32,  # whatever the caller's default is: model files hold it
    )
