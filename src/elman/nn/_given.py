"""Lengths and resets as callers give them: tensors on any device, arrays of NumPy, lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from elman._gate import is_traced
from elman.ops import check_lengths

__all__ = ["flags_of", "lengths_of"]


def lengths_of(lengths: Any, shape: tuple[int, ...], steps: int) -> Tensor:
    """As int64 on the CPU; a ``ValueError`` for anything but integers of this shape from 0 to ``steps``."""
    numbers = _as_tensor("lengths", lengths, f"integers {shape}")
    is_integral = not (numbers.is_floating_point() or numbers.is_complex() or numbers.dtype is torch.bool)
    if numbers.shape != shape or (not is_integral and numbers.numel()):
        raise ValueError(f"lengths: expected integers {shape}, one a sequence, got {_described(numbers)}")
    if not is_traced(numbers):  # else the operator looks
        check_lengths(numbers.flatten().tolist(), steps)
    return numbers.to("cpu", torch.int64)


def flags_of(name: str, flags: Any, shape: tuple[int, ...], axes: str) -> Tensor:
    """As a tensor, where it is; a ``ValueError`` for anything but booleans of this shape."""
    given = _as_tensor(name, flags, f"booleans {shape}")
    if given.shape != shape or (given.dtype is not torch.bool and given.numel()):
        raise ValueError(f"{name}: expected booleans {axes}, {shape}, got {_described(given)}")
    return given.bool()


def _as_tensor(name: str, given: Any, expected: str) -> Tensor:
    if isinstance(given, Tensor):
        if given.layout is not torch.strided or given.is_meta:
            where = "on the meta device" if given.is_meta else f"of layout {given.layout}"
            raise ValueError(f"{name}: expected {expected}, got a tensor {where}")
        return given.detach()
    try:
        return torch.from_numpy(np.array(given))
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name}: expected {expected}, got {type(given).__name__} of other things") from None


def _described(given: Tensor) -> str:
    return f"{str(given.dtype).removeprefix('torch.')} {tuple(given.shape)}"
