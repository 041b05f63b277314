"""The engine under PyTorch: what its layers are made of, with their gradients.

The engine is handed addresses (0.1 us a tensor, where an exchange through DLPack takes 3 us), so it is only asked
for what the gate admits (``elman._gate``). Whoever calls these functions sees to that, and to the shapes.
"""

from elman.ops._layer import layer
from elman.ops._linear import linear
from elman.ops._pool import pool

__all__ = ["layer", "linear", "pool"]
