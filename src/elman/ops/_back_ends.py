"""What computes recurrent layers, by the kind of device that the tensors are on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from elman import _gate
from elman.ops._layer import layer
from elman.ops._step import step

__all__ = ["BACK_ENDS", "BackEnd"]


class BackEnd(NamedTuple):
    """Functions of the signatures of ``elman._gate.admits``, ``elman.ops.layer`` and ``elman.ops.step``."""

    admits: Callable[..., bool]
    layer: Callable[..., tuple[Any, ...]]
    step: Callable[..., tuple[Any, ...]]


# Devices that are not here are PyTorch's.
BACK_ENDS = {"cpu": BackEnd(_gate.admits, layer, step)}
