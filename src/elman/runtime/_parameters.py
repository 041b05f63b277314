"""A recurrent network's parameters by PyTorch's names: sizes, and the family of its cell, are read off their shapes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from elman._cells import FAMILIES, Family
from elman._errors import InputError, listed, one_line, shown
from elman.runtime._arrays import Array, as_array

__all__ = [
    "NAMES",
    "Sizes",
    "as_parameters",
    "family_of",
    "layer_name",
    "parameter_names",
    "read_sizes",
    "reorder_gates",
    "state_names",
    "unit_names",
]

NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
_NAME = re.compile(r"(.+)_l(0|[1-9][0-9]{0,3})(_reverse)?")
_CELL = {name: f"{name}_l0" for name in NAMES}

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Sizes:
    """What the names and shapes of the parameters say.

    Attributes:
        widths: the hidden_size of each layer.
        learned: whether initial states are among the parameters.
    """

    input_size: int
    widths: tuple[int, ...]
    bidirectional: bool
    bias: bool
    family: Family
    learned: bool = False

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    def shapes(self) -> dict[str, Shape]:
        """Return the name and shape of every parameter, layer by layer, forward before reverse, weights first."""
        shapes: dict[str, Shape] = {}
        reads = self.input_size
        for layer, units in enumerate(self.widths):
            rows = len(self.family.gates) * units
            of_layer: list[Shape] = [(rows, reads), (rows, units), (rows,), (rows,)]
            for direction in range(self.directions):
                names = parameter_names(layer, direction, self.bias)
                shapes |= {
                    name: shape
                    for name, shape in zip(names, of_layer, strict=False)
                    if self.family.is_recurrent or "hh" not in name
                }
                shapes |= dict.fromkeys(unit_names(self.family, layer, direction), (units,))
            reads = self.directions * units
        if self.learned:
            for letter in self.family.states:
                for layer, units in enumerate(self.widths):
                    shapes |= dict.fromkeys(state_names(letter, layer, self.directions), (units,))
        return shapes


def parameter_names(layer: int, direction: int, bias: bool) -> list[str]:
    """Return PyTorch's names of one layer and direction, in the order of :data:`NAMES`."""
    suffix = "_reverse" if direction else ""
    return [f"{name}_l{layer}{suffix}" for name in NAMES[: 4 if bias else 2]]


def unit_names(family: Family, layer: int, direction: int) -> list[str]:
    """Return the names of what one layer and direction is given for each unit."""
    suffix = "_reverse" if direction else ""
    return [f"{name}_l{layer}{suffix}" for name in family.unit_inputs]


def state_names(letter: str, layer: int, directions: int) -> list[str]:
    """Return the names of one layer's learned initial states, forward before reverse."""
    return [f"{letter}_0_l{layer}{suffix}" for suffix in ("", "_reverse")[:directions]]


def reorder_gates(array: Array, given: str, wanted: str) -> Array:
    """Return an array whose rows are blocks of gates, one letter each, with the blocks in another order."""
    blocks = dict(zip(given, np.split(array, len(given)), strict=True))
    return np.concatenate([blocks[gate] for gate in wanted])


def layer_name(name: str) -> str:
    """Return the name under which a layer has a parameter; a cell's have no number."""
    return _CELL.get(name, name)


def family_of(shapes: Mapping[str, Shape]) -> Family | None:
    """Return the family of the cell whose parameters have these shapes, by a layer's names; None where none has."""
    shape = shapes.get("weight_hh_l0", ())
    fitting = [family for family in FAMILIES.values() if len(shape) == 2 and shape[0] == len(family.gates) * shape[1]]
    return fitting[0] if fitting and shape[0] else None


def read_sizes(shapes: Mapping[str, Shape], family: Family) -> Sizes:
    """Return the sizes of the network whose parameters have these names and shapes.

    Args:
        shapes: by a layer's names.
        family: of its cell.

    Raises:
        InputError: they are no such network's; the message names an array.
    """
    known = {*NAMES, *family.unit_inputs, *(f"{state}_0" for state in family.states)}
    for name in shapes:
        if name.startswith("weight_hr"):
            raise InputError(f"{listed([name])}: expected an LSTM without a projection (proj_size=0), got this array")
        match = _NAME.fullmatch(name)
        if not match or match[1] not in known:
            wanted = f"the parameters of {family.named} alone (weight_ih_l0, …)"
            raise InputError(f"{listed([name])}: expected {wanted}, got this one besides")
    for name in ("weight_ih_l0", "weight_hh_l0")[: 2 if family.is_recurrent else 1]:
        if name not in shapes:
            raise InputError(f"{name}: expected this array among the parameters, got {_listed(shapes)}")
    first, gates, advice = shapes["weight_ih_l0"], len(family.gates), _advice(shapes, family)
    if len(first) != 2 or first[0] % gates:
        rows = "hidden_size" if gates == 1 else f"{gates} * hidden_size"
        raise InputError(f"weight_ih_l0: expected the shape ({rows}, input_size), got {shown(first)}{advice}")
    if not all(first):
        raise InputError(f"weight_ih_l0: expected one unit and one input or more, got the shape {first}")
    layers = sum(re.fullmatch(r"weight_ih_l\d+", name) is not None for name in shapes)
    reverse = any(name.endswith("_reverse") for name in shapes)
    bias = any(name.startswith(("bias_ih_l", "bias_hh_l")) for name in shapes)
    learned = any(name.startswith(f"{family.states[0]}_0_l") for name in shapes)
    widths = [first[0] // gates]
    for layer in range(1, layers):
        shape = shapes.get(f"weight_ih_l{layer}", ())
        is_width = len(shape) == 2 and shape[0] > 0 and shape[0] % gates == 0
        widths.append(shape[0] // gates if is_width else widths[-1])
    sizes = Sizes(first[1], tuple(widths), reverse, bias, family, learned)
    expected = sizes.shapes()
    for name, shape in expected.items():
        if name not in shapes:
            raise InputError(f"{name}: expected this array beside {_listed(shapes)}, it is missing")
        if shapes[name] != shape:
            raise InputError(f"{name}: expected the shape {shape}, got {shown(shapes[name])}{advice}")
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


def _advice(shapes: Mapping[str, Shape], family: Family) -> str:
    other = family_of(shapes)
    if other in (None, family):
        return ""
    return f" (these look like {other.named}'s parameters, which elman.runtime.{other.title} takes)"
