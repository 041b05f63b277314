"""Lengths and resets as callers give them: tensors on any device, arrays of NumPy, lists."""

from __future__ import annotations

import reprlib
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from elman._gate import is_of_members, is_traced
from elman.ops._pieces import check_lengths

__all__ = ["flags_of", "lengths_of", "on_cpu"]

_Given = npt.NDArray[Any] | Tensor


def lengths_of(lengths: Any, shape: tuple[int, ...], steps: int) -> _Given:
    """As an array, or a tensor of what is traced; a ``ValueError`` for all but such integers from 0 to ``steps``."""
    checked = _checked("lengths", lengths, "integers", shape, f"{shape}, one a sequence")
    if isinstance(checked, Tensor) and (
        is_traced(checked) or is_of_members(checked)
    ):  # the operator looks at its numbers
        return checked.to("cpu", torch.int64)
    numbers = on_cpu(checked)
    check_lengths(numbers, steps)
    return numbers.astype(np.int64)


def flags_of(name: str, flags: Any, shape: tuple[int, ...], axes: str) -> _Given:
    """As they are, or an array; a ``ValueError`` for anything but booleans of this shape."""
    return _checked(name, flags, "booleans", shape, f"{axes}, {shape}")


def on_cpu(given: _Given) -> npt.NDArray[Any]:
    """The numbers themselves."""
    if not isinstance(given, Tensor):
        return given
    try:
        return given.numpy(force=True)
    except RuntimeError:  # within a transform of functions, which makes its own of what is read
        return np.array(given.tolist()).reshape(given.shape)


def _checked(name: str, given: Any, kind: str, shape: tuple[int, ...], expected: str) -> _Given:
    array: _Given
    if not isinstance(given, Tensor) and is_traced(given):  # the compiler cannot look into arrays
        given = torch.as_tensor(given)
    if isinstance(given, Tensor):
        dtype, array = str(given.dtype).removeprefix("torch."), given
        if given.layout is not torch.strided or given.is_meta:
            where = "on the meta device" if given.is_meta else f"of layout {given.layout}"
            raise ValueError(f"{name}: expected {kind} {expected}, got a tensor {where}")
    else:
        try:
            numbers: npt.NDArray[Any] = np.array(given)
        except (TypeError, ValueError, OverflowError):
            numbers = np.array(None)
        dtype, array = numbers.dtype.name, numbers
        if numbers.dtype.kind not in "biufc":
            got = " ".join(reprlib.repr(given).split())
            raise ValueError(f"{name}: expected {kind} {expected}, got {got}")
    is_right = "int" in dtype if kind == "integers" else dtype == "bool"
    if tuple(array.shape) != shape or not (is_right or 0 in shape):
        raise ValueError(f"{name}: expected {kind} {expected}, got {dtype} {tuple(array.shape)}")
    if is_right:
        return array
    empty: npt.NDArray[Any] = np.zeros(shape, int if kind == "integers" else bool)  # of nothing any kind will do
    return empty
