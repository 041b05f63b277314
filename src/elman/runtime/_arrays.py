"""What users pass, as arrays that the engine can read: converted, or refused by name, never misread."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman._checks import is_integer
from elman._errors import InputError, one_line, shown

__all__ = ["Array", "as_array", "as_count", "as_flags", "as_lengths", "as_shaped", "in_range", "kind_of", "require_out"]

Array = NDArray[Any]

NUMBERS = "fiub"  # kinds of dtypes: floats, integers, booleans


def as_array(value: Any, name: str, dtype: np.dtype[Any] | None = None) -> Array:
    """Return ``value`` as an array of ``dtype``, itself where it is one; without ``dtype``, of its own.

    Arrays of NumPy in any layout and byte order, what offers ``__array__`` or DLPack on the CPU, and nested sequences
    are taken; integers, booleans and other floats are converted.

    Raises:
        InputError: it is no array of real numbers, or lies on another device.
    """
    if type(value) is np.ndarray and value.dtype is dtype and value.flags.aligned:
        return value
    if isinstance(value, np.ma.MaskedArray):
        raise InputError(f"{name}: expected an array without a mask, got a masked array")
    try:
        array = _from_elsewhere(value)
    except Exception as error:
        reason = one_line(error)
        raise InputError(f"{name}: expected an array of numbers on the CPU, got {kind_of(value)} ({reason})") from None
    if array.dtype.kind not in NUMBERS:
        raise InputError(f"{name}: expected real numbers, got {kind_of(value)} of dtype {one_line(array.dtype)}")
    if dtype is not None:
        with np.errstate(over="ignore"):  # too large for float32: infinity, as in PyTorch
            array = array.astype(dtype, copy=False)
    return array if array.flags.aligned else array.copy()


def as_shaped(value: Any, name: str, dtype: np.dtype[Any], shape: Sequence[int], words: str) -> Array:
    """Return ``value`` as a C-contiguous array of ``dtype`` and ``shape``, which ``words`` explain.

    Raises:
        InputError: it is of another shape, or no array of numbers.
    """
    array = as_array(value, name, dtype)
    if array.shape != tuple(shape):
        raise InputError(f"{name}: expected the shape {tuple(shape)}, {words}, got {shown(array.shape)}")
    return np.ascontiguousarray(array)


def as_count(value: Any, name: str, most: int = 2**31 - 1) -> int:
    """Return ``value`` as an integer from 1 to ``most``.

    Raises:
        InputError: it is none.
    """
    if not is_integer(value, 1) or int(value) > most:
        raise InputError(f"{name}: expected an integer from 1 to {most}, got {shown(value)}")
    return int(value)


def as_flags(value: Any, name: str, shape: Sequence[int], words: str) -> NDArray[np.bool_]:
    """Return ``value`` as booleans of ``shape``, which ``words`` explain.

    Raises:
        InputError: they are no booleans, or of another shape.
    """
    flags = as_array(value, name)
    if not flags.size:
        flags = flags.astype(bool)  # an empty list is one of floats
    if flags.dtype != np.bool_:
        raise InputError(f"{name}: expected booleans, got dtype {one_line(flags.dtype)}")
    return as_shaped(flags, name, flags.dtype, shape, words)


def as_lengths(value: Any, batch: int | None, steps: int) -> NDArray[np.int64]:
    """Return sequence lengths (batch,), each from 0 to ``steps``; ``batch`` None: of one that is given as an integer.

    Raises:
        InputError: they are no integers, of another shape, or out of range.
    """
    lengths = as_array(value, "lengths")
    if not lengths.size:
        lengths = lengths.astype(np.int64)  # an empty list is one of floats
    if lengths.dtype.kind not in "iu":
        raise InputError(f"lengths: expected integers, got dtype {lengths.dtype}")
    if batch is None:
        if lengths.ndim:
            got = shown(lengths.shape)
            raise InputError(f"lengths: expected one integer for a sequence without a batch, got the shape {got}")
        lengths, batch = lengths[None], 1
    return in_range(lengths, "lengths", batch, steps, "x")


def in_range(lengths: Array, name: str, batch: int, steps: int, of: str) -> NDArray[np.int64]:
    """Return integers as int64 if they can be the lengths of a batch of sequences.

    Args:
        lengths: integers.
        name: what messages call them.
        batch: how many there must be.
        steps: the greatest.
        of: what has so many steps, for messages.

    Raises:
        InputError: they are of another shape, or out of range.
    """
    if lengths.shape != (batch,):
        raise InputError(f"{name}: expected the shape {(batch,)}, one for each sequence, got {shown(lengths.shape)}")
    for place, length in enumerate(lengths.tolist()):
        if not 0 <= length <= steps:
            raise InputError(f"{name}[{place}]: expected 0 to {steps}, the steps of {of}, got {length}")
    return lengths.astype(np.int64, copy=False)


def require_out(out: Any, dtype: np.dtype[Any], shape: Sequence[int]) -> Array:
    """Return ``out`` if results of ``dtype`` and ``shape`` can be written there.

    Raises:
        InputError: it is no array of NumPy, not writable, or of another dtype or shape.
    """
    if not isinstance(out, np.ndarray) or isinstance(out, np.ma.MaskedArray):
        raise InputError(f"out: expected an array of NumPy, got {kind_of(out)}")
    if out.dtype != dtype:
        raise InputError(f"out: expected dtype {dtype}, got {one_line(out.dtype.newbyteorder('='))}{_order(out.dtype)}")
    if out.shape != tuple(shape):
        raise InputError(f"out: expected the shape {tuple(shape)}, got {shown(out.shape)}")
    if not out.flags.writeable:
        raise InputError("out: expected an array that can be written, got a read-only one")
    if not out.flags.c_contiguous and _may_overlap_itself(out):
        raise InputError(f"out: expected elements apart from one another, got the strides {out.strides}")
    return out


def kind_of(value: Any) -> str:
    """Return the name of a value's type."""
    kind = type(value)
    return kind.__name__ if kind.__module__ in ("builtins", "numpy") else f"{kind.__module__}.{kind.__name__}"


def _may_overlap_itself(array: Array) -> bool:
    """Whether two elements may share memory: whether one dimension's stride is shorter than those within it reach."""
    reach = array.itemsize
    for stride, size in sorted((abs(s), n) for s, n in zip(array.strides, array.shape, strict=True) if n > 1):
        if stride < reach:
            return bool(array.size)
        reach += stride * (size - 1)
    return False


def _from_elsewhere(value: Any) -> Array:
    if hasattr(value, "__array__") or not hasattr(value, "__dlpack__"):
        return np.asarray(value)
    return np.from_dlpack(value)


def _order(dtype: np.dtype[Any]) -> str:
    return "" if dtype.isnative else " in the other byte order"
