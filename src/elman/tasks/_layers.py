"""What the networks of all tasks are made of."""

from torch import nn

from elman.nn import RNN

__all__ = ["EMBEDDING_SCALE", "recurrent_layer"]

EMBEDDING_SCALE = 0.5  # deviation of the vectors of tokens before training


def recurrent_layer(engine: str) -> type[nn.RNN]:
    """Return the class that ``--engine`` names: ``elman.nn.RNN`` or ``torch.nn.RNN``."""
    return nn.RNN if engine == "torch" else RNN
