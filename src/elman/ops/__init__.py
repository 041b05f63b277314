"""The engine under PyTorch: what its layers are made of, with their gradients.

The engine reads and writes the memory of tensors, so it is only asked for what the gate admits (``elman._gate``).
Whoever calls these functions sees to that. The shapes are looked at once more where the memory is.
"""

from elman._extras import TORCH

with TORCH.needed_by(__name__):
    from elman.ops._layer import layer
    from elman.ops._linear import linear
    from elman.ops._pool import pool
    from elman.ops._step import step

__all__ = ["layer", "linear", "pool", "step"]
