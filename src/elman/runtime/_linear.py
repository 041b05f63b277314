"""Linear layers, and what their outputs go through on the way to probabilities."""

from __future__ import annotations

import numpy as np

from elman import _engine
from elman.runtime._arrays import Array
from elman.runtime._network import ENGINES

__all__ = ["Linear", "linear_shapes", "log_softmax", "softmax"]


class Linear:
    """``y = x W^T + b``: :class:`elman.nn.Linear` without PyTorch, the same bits, for a row in any batch.

    Args:
        weight: (out_features, in_features), contiguous, float32 or float64.
        bias: (out_features,), of the same dtype.
    """

    def __init__(self, weight: Array, bias: Array | None) -> None:
        self.weight, self.bias = weight, bias
        # one step of a recurrence without a recurrent term
        self._network = ENGINES[weight.dtype.name]([(weight, None, bias, None)], 1, _engine.Cell.identity)

    def __call__(self, x: Array) -> Array:
        """Return (rows, out_features) of (rows, in_features)."""
        output: Array = np.empty((1, len(x), len(self.weight)), self.weight.dtype)
        if len(x):
            self._network.run(x[None], None, None, output, None)
        return output.reshape(output.shape[1:])


def linear_shapes(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the weight and the bias of a linear layer, by their names."""
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def softmax(scores: Array) -> Array:
    """Return each row's probabilities, (rows, classes), the same bits in any batch and on any processor."""
    probabilities: Array = np.empty_like(scores)
    _engine.softmax(scores, probabilities)
    return probabilities


def log_softmax(scores: Array) -> Array:
    """Return the logarithms of each row's probabilities, (rows, classes)."""
    logarithms = np.empty_like(scores)
    _engine.softmax(scores, logarithms, True)
    return logarithms
