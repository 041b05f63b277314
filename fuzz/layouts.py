"""Arrays of any dtype, shape and layout, and what only says that it is an array."""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from fuzz.choices import Choices

__all__ = ["DTYPES", "OnlyDLPack", "laid_out", "plain", "some_array", "some_out", "some_shape"]

DTYPES = ("f4", "f8", ">f4", ">f8", "f2", "g", "i1", "i8", "u8", "?", "c8", "U3", "O", "M8[s]", "S2", "f4,i4")
SPECIAL = (0.0, np.nan, np.inf, -np.inf, 1e300, -0.0, 5e-324)


class Odd:
    """Says that it is an array, and is none."""

    def __init__(self, result: Any) -> None:
        self._result = result

    def __array__(self, *arguments: Any, **options: Any) -> Any:
        if isinstance(self._result, Exception):
            raise self._result
        return self._result


class OnlyDLPack:
    def __init__(self, array: Any) -> None:
        self._array = array

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._array.__dlpack_device__()


class Subclass(np.ndarray):
    pass


def some_shape(choices: Choices, right: tuple[int, ...]) -> tuple[int, ...]:
    """The right shape, or one near it."""
    kind = choices.number(24)
    if kind < 20 or not right:
        return right
    if kind == 20:
        return right[1:]
    if kind == 21:
        return (1, *right)
    if kind == 22:
        place = choices.number(len(right))
        return (*right[:place], choices.number(4), *right[place + 1 :])
    return (1,) * choices.pick((0, 1, 5, 40, 64)) if choices.chance() else right[::-1]


def some_array(choices: Choices, shape: tuple[int, ...], dtypes: tuple[str, ...] = DTYPES) -> Any:
    """An array of a shape in some layout."""
    dtype = np.dtype(choices.pick(dtypes) if choices.chance(3) else dtypes[0])
    count = int(np.prod(shape))
    values = np.sin(np.arange(count) + choices.number(256)) * 3
    if count and choices.chance(8):
        values[choices.number(count)] = choices.pick(SPECIAL)
    with np.errstate(all="ignore"):
        plain = values.reshape(shape) if dtype.kind in "fc" else values.astype(int).reshape(shape)
        array = np.empty(shape, dtype)
        array[...] = plain.astype("i8").astype(dtype) if dtype.kind in "MOSU" or dtype.names else plain.astype(dtype)
    return laid_out(choices, array)


def laid_out(choices: Choices, array: Any) -> Any:
    """The same values in another layout."""
    kind = choices.number(14)
    dimension = choices.number(array.ndim) if array.ndim else 0
    turn = tuple(slice(None, None, -1 if i == dimension else 1) for i in range(array.ndim))
    if kind == 1:
        return np.asfortranarray(array)
    if kind == 2 and array.ndim:
        return array[turn].copy()[turn]
    if kind == 3 and array.ndim:
        return np.repeat(array, 2, dimension)[
            tuple(slice(None, None, 2 if i == dimension else 1) for i in range(array.ndim))
        ]
    if kind == 4 and array.ndim and array.shape[dimension]:
        first = array.take([0], dimension)
        return np.broadcast_to(first, array.shape)
    if kind == 5 and array.dtype.kind != "O":
        room = np.zeros(array.nbytes + 1, np.uint8)
        moved = room[1:].view(array.dtype).reshape(array.shape)
        moved[...] = array
        return moved
    if kind == 6:
        array.flags.writeable = False
        return array
    if kind == 7:
        return array.view(Subclass)
    if kind == 8:
        return array.tolist()
    if kind == 9 and array.ndim and array.dtype.kind != "O":  # windows that overlap, or a size of one with any stride
        strides = [
            stride if size > 1 else choices.pick((0, 3, -7, 2**40))
            for size, stride in zip(array.shape, array.strides, strict=True)
        ]
        if choices.chance() and array.shape[dimension]:
            strides[dimension] = choices.pick((array.itemsize, 0))
            largest = sum(
                (size - 1) * abs(stride) for size, stride in zip(array.shape, strides, strict=True) if size > 1
            )
            room = np.resize(array, largest // array.itemsize + 1)
            return as_strided(room, array.shape, strides)
        return as_strided(array, array.shape, strides)
    if kind == 10:
        return Odd(choices.pick((array, None, 3, "x", ValueError("a\nb" * 500), MemoryError(), TypeError())))
    if kind == 11:
        return choices.pick(
            (None, 3, "word", b"x", {}, {1}, [[1], [1, 2]], [None], object(), 10**400, "\ud800", np, [[]] * 3)
        )
    if kind == 12 and array.dtype.kind in "fiu":
        return memoryview(array) if choices.chance() else OnlyDLPack(array)
    if kind == 13:
        if choices.chance():
            return np.ma.masked_array(array)
        return array.view(np.matrix) if array.ndim == 2 else array
    return array


def some_out(choices: Choices, shape: tuple[int, ...], dtype: np.dtype[Any], *inputs: Any) -> Any:
    """Where to write: None, an array in some layout, one in the memory of an input, or one that overlaps itself."""
    kind = choices.number(4)
    if kind == 0:
        return None
    if kind == 1:
        for array in inputs:
            if (
                type(array) is np.ndarray  # a matrix stays one when it is made flat
                and array.dtype == dtype
                and array.flags.c_contiguous
                and array.flags.writeable
            ):
                flat, count = array.reshape(-1), int(np.prod(shape))
                start = choices.number(8)
                if flat.size >= start + count:
                    return flat[start : start + count].reshape(shape)
    if kind == 2 and shape:
        strides = [choices.pick((1, 0, -1, 2, shape[-1])) * dtype.itemsize for _ in shape]
        room = np.zeros(4096, dtype)
        reach = sum((size - 1) * abs(stride) for size, stride in zip(shape, strides, strict=True)) // dtype.itemsize
        if reach < 1024:
            return as_strided(room[2048:], shape, strides)
    out = some_array(choices, some_shape(choices, shape), (dtype.str, *DTYPES))
    return out


def plain(value: Any, dtype: np.dtype[Any]) -> Any:
    """A plain copy of what was accepted."""
    array = np.array(np.from_dlpack(value._array) if isinstance(value, OnlyDLPack) else value)
    with np.errstate(all="ignore"):
        return np.ascontiguousarray(array.astype(dtype)).reshape(array.shape)
