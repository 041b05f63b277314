"""The forward pass of ``Linear``."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from elman import _gate, ops
from elman.nn import _fx, _pytorch

__all__ = ["Linear"]


class Linear(_pytorch.Linear):
    """PyTorch's, with what the engine takes run by the engine."""

    def forward(self, input: Any) -> Tensor:
        if _gate.nothing_intercepts() and isinstance(input, Tensor) and self._takes(input):
            return ops.linear(input, self.weight, self.bias)
        if _fx.traces(self, input):
            return _fx.leaf(self, input)  # type: ignore[return-value]
        return _pytorch.Linear.forward(self, input)

    def _takes(self, input: Tensor) -> bool:
        """Whether the engine can run this input."""
        weight, bias, dtype = self.weight, self.bias, input.dtype
        return (
            _gate.is_plain(input)
            and dtype in _gate.DTYPES
            and input.dim() > 0
            and 0 < self.in_features == input.shape[-1]
            and self.out_features > 0
            and _gate.is_plain(weight)
            and weight.dtype is dtype
            and weight.shape == (self.out_features, self.in_features)
            and (bias is None or (_gate.is_plain(bias) and bias.dtype is dtype and bias.shape == (self.out_features,)))
        )

    def __prepare_scriptable__(self) -> _pytorch.Linear:
        """What ``torch.jit.script`` compiles."""
        return _pytorch.twin(self, _pytorch.Linear)
