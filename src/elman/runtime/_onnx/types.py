"""What an ONNX graph says of its inputs and outputs, and how values are fitted to it."""

from __future__ import annotations

from reprlib import repr as shortened
from typing import Any, NamedTuple

import numpy as np
import onnx

from elman._errors import InputError, one_line
from elman.runtime._arrays import Array, as_array

__all__ = ["TensorType", "fitted", "input_types", "output_types"]

_DTYPES = {
    getattr(onnx.TensorProto, {"float32": "FLOAT", "float64": "DOUBLE"}.get(name, name.upper())): np.dtype(name)
    for signed in ("int8", "int16", "int32", "int64")
    for name in (signed, f"u{signed}", "bool", "float16", "float32", "float64")
}


class TensorType(NamedTuple):
    """What a graph says of an input or output.

    Attributes:
        dtype: of its elements; None: the graph does not say, which only an output may do.
        shape: a number where it is fixed, a name where the graph has one for it, else None; None: any shape.
    """

    dtype: np.dtype[Any] | None
    shape: tuple[int | str | None, ...] | None

    def __str__(self) -> str:
        dtype = "any type" if self.dtype is None else str(self.dtype)
        if self.shape is None:
            return f"{dtype} of any shape"
        return f"{dtype} ({', '.join('?' if size is None else str(size) for size in self.shape)})"


def input_types(place: str, model: onnx.ModelProto) -> tuple[dict[str, TensorType], dict[str, TensorType]]:
    """Return the graph's inputs that a call must give, and those that it may give instead of an initialiser.

    Before version 4 of the format every initialiser had to be listed among the inputs; there, none may be given.

    Raises:
        InputError: one is no tensor of numbers.
    """
    initialisers = {tensor.name for tensor in model.graph.initializer}
    types = _types(place, model.graph.input)
    required = {name: type_ for name, type_ in types.items() if name not in initialisers}
    optional = {name: type_ for name, type_ in types.items() if name in initialisers and model.ir_version >= 4}
    return required, optional


def output_types(place: str, model: onnx.ModelProto) -> dict[str, TensorType]:
    """Return the graph's outputs; not all graphs say of what type they are.

    Raises:
        InputError: one is no tensor of numbers.
    """
    unsaid = {info.name: TensorType(None, None) for info in model.graph.output if not info.HasField("type")}
    said = _types(place, [info for info in model.graph.output if info.name not in unsaid])
    return {info.name: unsaid.get(info.name) or said[info.name] for info in model.graph.output}


def fitted(value: Any, name: str, wanted: TensorType) -> Array:
    """Return ``value`` as an array of a type, converted if need be, but never from floats to integers.

    Raises:
        InputError: it is of another type or shape; the message names it.
    """
    name = one_line(name, 60)
    array = as_array(value, name)
    if wanted.dtype is None:
        return array
    if not np.can_cast(array.dtype, wanted.dtype, "same_kind"):
        raise InputError(f"{name}: expected {wanted.dtype}, got {array.dtype}")
    converted = as_array(array, name, wanted.dtype)
    if wanted.dtype.kind in "iu" and not np.array_equal(converted, array):
        raise InputError(f"{name}: expected integers that {wanted.dtype} holds, got larger ones")
    if wanted.shape is None:
        return converted
    fixed = [(size, known) for size, known in zip(array.shape, wanted.shape, strict=False) if isinstance(known, int)]
    if len(wanted.shape) != array.ndim or any(size != known for size, known in fixed):
        raise InputError(f"{name}: expected {one_line(wanted)}, got the shape {array.shape}")
    return converted


def _types(place: str, infos: Any) -> dict[str, TensorType]:
    types = {}
    for info in infos:
        tensor = info.type.tensor_type
        if not info.type.HasField("tensor_type") or tensor.elem_type not in _DTYPES:
            raise InputError(f"{place}: expected {shortened(info.name)} to be a tensor of numbers, got another type")
        shape = tuple(_size(size) for size in tensor.shape.dim) if tensor.HasField("shape") else None
        types[info.name] = TensorType(_DTYPES[tensor.elem_type], shape)
    return types


def _size(size: Any) -> int | str | None:
    if size.HasField("dim_value"):
        return int(size.dim_value) if size.dim_value >= 0 else None  # -1: what some exporters write for unknown
    return str(size.dim_param) or None
