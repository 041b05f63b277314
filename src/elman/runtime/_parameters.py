"""A recurrent network's parameters by PyTorch's names: sizes are read off their shapes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from elman._errors import InputError, listed, one_line, shown
from elman.runtime._arrays import Array, as_array

__all__ = ["NAMES", "Sizes", "as_parameters", "layer_name", "parameter_names", "read_sizes"]

NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
_NAME = re.compile(r"(weight_ih|weight_hh|bias_ih|bias_hh)_l(0|[1-9][0-9]{0,3})(_reverse)?")
_CELL = {name: f"{name}_l0" for name in NAMES}

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Sizes:
    """What the shapes of the parameters say."""

    input_size: int
    hidden_size: int
    num_layers: int
    bidirectional: bool
    bias: bool

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    def shapes(self) -> dict[str, Shape]:
        """Return the name and shape of every parameter, layer by layer, forward before reverse."""
        units = self.hidden_size
        shapes: dict[str, Shape] = {}
        for layer in range(self.num_layers):
            reads = self.directions * units if layer else self.input_size
            of_layer: list[Shape] = [(units, reads), (units, units), (units,), (units,)]
            for direction in range(self.directions):
                names = parameter_names(layer, direction, self.bias)
                shapes |= dict(zip(names, of_layer, strict=False))
        return shapes


def parameter_names(layer: int, direction: int, bias: bool) -> list[str]:
    """Return PyTorch's names of one layer and direction, in the order of :data:`NAMES`."""
    suffix = "_reverse" if direction else ""
    return [f"{name}_l{layer}{suffix}" for name in NAMES[: 4 if bias else 2]]


def layer_name(name: str) -> str:
    """Return the name under which a layer has a parameter; a cell's have no number."""
    return _CELL.get(name, name)


def read_sizes(shapes: Mapping[str, Shape]) -> Sizes:
    """Return the sizes of the network whose parameters have these names and shapes.

    Raises:
        InputError: they are no network's; the message names an array.
    """
    for name in shapes:
        if not _NAME.fullmatch(name):
            raise InputError(
                f"{listed([name])}: expected the parameters of an RNN alone (weight_ih_l0, …), got this one besides"
            )
    for name in ("weight_ih_l0", "weight_hh_l0"):
        if name not in shapes:
            raise InputError(f"{name}: expected this array among the parameters, got {_listed(shapes)}")
    if len(shapes["weight_ih_l0"]) != 2:
        raise InputError(
            f"weight_ih_l0: expected the shape (hidden_size, input_size), got {shown(shapes['weight_ih_l0'])}"
        )
    hidden_size, input_size = shapes["weight_ih_l0"]
    if not hidden_size or not input_size:
        got = (hidden_size, input_size)
        raise InputError(f"weight_ih_l0: expected one unit and one input or more, got the shape {got}")
    layers = sum(re.fullmatch(r"weight_ih_l\d+", name) is not None for name in shapes)
    reverse = any(name.endswith("_reverse") for name in shapes)
    bias = any(name.startswith("bias") for name in shapes)
    sizes = Sizes(input_size, hidden_size, layers, reverse, bias)
    expected = sizes.shapes()
    for name, shape in expected.items():
        if name not in shapes:
            raise InputError(f"{name}: expected this array beside {_listed(shapes)}, it is missing")
        if shapes[name] != shape:
            raise InputError(
                f"{name}: expected the shape {shape}, got {shown(shapes[name])}{_advice(name, shapes[name])}"
            )
    for name in shapes.keys() - expected.keys():
        raise InputError(f"{name}: expected {layers} layers (as many as weight_ih_l0, …), got this array besides")
    return sizes


def as_parameters(parameters: Mapping[str, Any]) -> dict[str, Array]:
    """Return copies of the parameters, contiguous, all float32 or all float64, under a layer's names.

    Takes arrays of NumPy, tensors of PyTorch, and whatever converts to an array; the names of a cell too.

    Raises:
        InputError: one is of another dtype; the message names it.
    """
    if not isinstance(parameters, Mapping):
        raise InputError(f"parameters: expected a dict of arrays by name, got {type(parameters).__name__}")
    arrays: dict[str, Array] = {}
    for name, value in parameters.items():
        if not isinstance(name, str):
            raise InputError(f"parameters: expected names as keys, got {shown(name)}")
        value = value.detach() if hasattr(value, "detach") else value  # a tensor that requires gradients
        place = listed([name])
        array = as_array(value, place)
        dtype = array.dtype.newbyteorder("=")
        if dtype not in (np.float32, np.float64):
            raise InputError(f"{place}: expected float32 or float64, got {one_line(dtype)}")
        first = next(iter(arrays.values()), None)
        if first is not None and dtype != first.dtype:
            raise InputError(f"{place}: expected {first.dtype}, as {listed([next(iter(arrays))])} is, got {dtype}")
        if layer_name(name) in arrays:
            raise InputError(f"{place}: expected this array once, got it by a layer's name and by a cell's")
        arrays[layer_name(name)] = np.array(array, dtype=dtype, order="C", copy=True)
    return arrays


def _listed(shapes: Mapping[str, Shape]) -> str:
    return listed(sorted(shapes)) or "none"


def _advice(name: str, shape: Shape) -> str:
    for gates, cell in {3: "a GRU's", 4: "an LSTM's"}.items():
        if name.startswith("weight_hh") and len(shape) == 2 and shape[0] == gates * shape[1]:
            return f" (these look like {cell} parameters)"
    return ""
