"""Networks as ONNX graphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from elman._errors import InputError
from elman._files import write_files
from elman.runtime._network import Network
from elman.runtime._onnx.operators import OPERATORS
from elman.runtime._parameters import parameter_names, reorder_gates

__all__ = ["Graph", "add_layers"]

OPSET, IR_VERSION = 18, 8  # of 2022: what runs ONNX today knows them
MOST_BYTES = 2**31 - 2**24  # of parameters, so that the rest has room in the 2 GiB of a protobuf message

Shape = Sequence[int | str]


class Graph:
    """An ONNX graph in the making. A method takes and returns the names of values."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[onnx.NodeProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._initializers: list[onnx.TensorProto] = []
        self._bytes = 0

    def input(self, name: str, dtype: Any, shape: Shape) -> str:
        """Add an input of the graph; a dimension is a number or a name."""
        self._inputs.append(_info(name, dtype, shape))
        return name

    def output(self, name: str, dtype: Any, shape: Shape) -> None:
        """Say which value is an output of the graph."""
        self._outputs.append(_info(name, dtype, shape))

    def constant(self, name: str, value: Any) -> str:
        """Add an array."""
        array = np.asarray(value)
        self._initializers.append(numpy_helper.from_array(array, name))
        self._bytes += array.nbytes
        return name

    def add(self, operator: str, inputs: Sequence[str], *outputs: str, **attributes: Any) -> str:
        """Add a node, which is called as its first output that has a name; return that."""
        name = next(filter(None, outputs))
        self._nodes.append(helper.make_node(operator, inputs, outputs, name, **attributes))
        return name

    def cast(self, value: str, dtype: Any, output: str) -> str:
        """Add a conversion to another dtype."""
        return self.add("Cast", [value], output, to=_element_type(dtype))

    def write(self, path: Path, metadata: Mapping[str, str]) -> None:
        """Write the model.

        Raises:
            InputError: it cannot be written, or is larger than an ONNX file can be.
        """
        from elman import __version__

        if self._bytes > MOST_BYTES:
            raise InputError(f"{path}: expected parameters of at most {MOST_BYTES} bytes, got {self._bytes}")
        model = helper.make_model(
            helper.make_graph(self._nodes, self._name, self._inputs, self._outputs, self._initializers),
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="elman",
            producer_version=__version__,
        )
        helper.set_model_props(model, {"producer": "elman", "version": __version__, **metadata})
        write_files(path.parent, {path.name: model.SerializeToString(deterministic=True)})


def add_layers(
    graph: Graph, network: Network, x: str, initial: Sequence[Sequence[str]], lengths: str, output: str
) -> list[list[str]]:
    """Add the layers of a network.

    Args:
        graph: to what.
        network: the network.
        x: (steps, batch, input_size).
        initial: for each layer its initial states, h_0 and of an LSTM c_0, (directions, batch, hidden_size), or "" for
            zeros.
        lengths: (batch,), int32, or "".
        output: what the last layer's output is to be called, (steps, batch, directions * hidden_size).

    Returns:
        Each layer's final states, (directions, batch, hidden_size).
    """
    operator, directions = OPERATORS[network.family.title], 2 if network.bidirectional else 1
    attributes = operator.attributes_of(network.cell, directions)
    if not getattr(network, "reset_after", True):
        attributes["linear_before_reset"] = 0
    widths, final = network.states_form.widths, []
    for layer, (units, states) in enumerate(zip(widths, initial, strict=True)):
        inputs = [x, *_add_weights(graph, network, layer, directions), lengths, *states]
        while not inputs[-1]:
            inputs.pop()
        final.append([f"{letter}_n_l{layer}" for letter in network.family.states])
        apart = graph.add(
            network.family.title,
            inputs,
            f"states_l{layer}",
            *final[-1],
            hidden_size=units,
            direction="bidirectional" if network.bidirectional else "forward",
            **attributes,
        )
        name = output if layer == len(widths) - 1 else f"x_l{layer + 1}"
        is_added = network.residual and layer > 0 and units == widths[layer - 1]
        joined = _join_directions(graph, apart, directions * units, f"{name}_alone" if is_added else name)
        x = graph.add("Add", [joined, x], name) if is_added else joined
    return final


def _join_directions(graph: Graph, apart: str, features: int, name: str) -> str:
    """Return the output of a layer with the features of both directions side by side, as a network has them."""
    by_row = graph.add("Transpose", [apart], f"{name}_apart", perm=[0, 2, 1, 3])
    return graph.add("Reshape", [by_row, graph.constant(f"{name}_shape", np.array([0, 0, features]))], name)


def _add_weights(graph: Graph, network: Network, layer: int, directions: int) -> list[str]:
    family = network.family
    each = [
        [
            reorder_gates(network.parameters[name], family.gates, family.onnx_gates)
            for name in parameter_names(layer, direction, network.bias)
        ]
        for direction in range(directions)
    ]
    weight_ih, weight_hh, *biases = zip(*each, strict=True)
    names = [
        graph.constant(f"weight_ih_l{layer}", np.stack(weight_ih)),
        graph.constant(f"weight_hh_l{layer}", np.stack(weight_hh)),
    ]
    bias = graph.constant(f"bias_l{layer}", np.concatenate(biases, 1)) if biases else ""
    return [*names, bias]


def _info(name: str, dtype: Any, shape: Shape) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, _element_type(dtype), shape)


def _element_type(dtype: Any) -> int:
    return helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
