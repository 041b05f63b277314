"""Reading an ONNX file that may come from a stranger: checked before anything is made of it, and never executed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from reprlib import repr as shortened

import onnx
from onnx import checker, numpy_helper

from elman._errors import InputError, one_line
from elman._files import read_file
from elman.runtime._onnx.operators import OPERATORS

__all__ = ["constant_names", "node_place", "read_model"]

LARGEST_FILE = 2**31 - 1  # what a protobuf message can be
MOST_DIMENSIONS = 32  # NumPy 1's; without a limit, the product of very many takes hours
MAIN_DOMAIN = ("", "ai.onnx")  # two names of one

# What exporters put between an initialiser and a weight.
ARRANGING = {"Cast", "Concat", "Constant", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"}


def read_model(path: str | PathLike[str]) -> onnx.ModelProto:
    """Read a model of which every part can be computed here.

    Raises:
        InputError: it is none, or damaged, or has parts that cannot.
    """
    content = read_file(Path(os.fspath(path)), limit=LARGEST_FILE)
    try:
        model: onnx.ModelProto = onnx.ModelProto.FromString(content)
    except Exception:  # DecodeError, of a package without types
        raise InputError(f"{path}: expected an ONNX model, got a file cut short or of another kind") from None
    if not model.HasField("graph"):
        raise InputError(f"{path}: expected an ONNX model, got a file without a graph")
    _check_opset(str(path), model)
    _check_nodes(str(path), model)
    _check_tensors(str(path), model.graph)
    for each in (*model.opset_import, *model.graph.node):
        each.domain = "" if each.domain in MAIN_DOMAIN else each.domain
    try:
        with _completed(model.graph):
            checker.check_model(model)
    except Exception as error:  # ValidationError, and what else comes out of its C++
        raise InputError(f"{path}: expected a model that onnx.checker accepts, got: {one_line(error)}") from None
    return model


@contextmanager
def _completed(graph: onnx.GraphProto) -> Iterator[None]:
    """Say for a while what the checker wants said, though ONNX Runtime does without: shapes, and types of outputs."""
    untyped = [output for output in graph.output if not output.HasField("type")]
    for output in untyped:
        output.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    tensors = [info.type.tensor_type for info in (*graph.input, *graph.output) if info.type.HasField("tensor_type")]
    shapeless = [tensor for tensor in tensors if not tensor.HasField("shape")]
    for tensor in shapeless:
        tensor.shape.SetInParent()
    try:
        yield
    finally:
        for tensor in shapeless:
            tensor.ClearField("shape")
        for output in untyped:
            output.ClearField("type")


def constant_names(model: onnx.ModelProto) -> frozenset[str]:
    """Return the names of values that are the same in every call: of weights, all; of others, not."""
    names = {"", *(tensor.name for tensor in model.graph.initializer)}
    if model.ir_version >= 4:  # a call may give its own
        names -= {given.name for given in model.graph.input}
    for node in model.graph.node:
        if node.op_type in ARRANGING and names.issuperset(node.input):
            names.update(node.output)
    return frozenset(names)


def node_place(place: str, number: int, node: onnx.NodeProto) -> str:
    """Return the words for a node of a file, for messages."""
    return f"{place}, node {shortened(node.name) if node.name else number} ({one_line(node.op_type, 40)})"


def _check_opset(place: str, model: onnx.ModelProto) -> None:
    newest = onnx.defs.onnx_opset_version()
    for opset in model.opset_import:
        if opset.domain in MAIN_DOMAIN and not 1 <= opset.version <= newest:
            raise InputError(f"{place}: expected an opset from 1 to {newest}, got {opset.version}")


def _check_nodes(place: str, model: onnx.ModelProto) -> None:
    if model.functions:
        name = shortened(model.functions[0].name)
        raise InputError(f"{place}: expected operators of ONNX alone, got the function {name}")
    for number, node in enumerate(model.graph.node):
        within = node_place(place, number, node)
        if node.domain not in MAIN_DOMAIN:
            raise InputError(f"{within}: expected operators of ONNX alone, got the domain {shortened(node.domain)}")
        if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            raise InputError(f"{within}: expected no control flow, got a graph within the node")
    if not any(node.op_type in OPERATORS for node in model.graph.node):
        operators = one_line(", ".join(sorted({str(node.op_type) for node in model.graph.node})))
        raise InputError(
            f"{place}: expected a model with an RNN, GRU or LSTM node, got {operators or 'no node'}; PyTorch writes "
            "one with dynamo=False"
        )


def _check_tensors(place: str, graph: onnx.GraphProto) -> None:
    attributes = [attribute for node in graph.node for attribute in node.attribute]
    if graph.sparse_initializer or any(each.HasField("sparse_tensor") or each.sparse_tensors for each in attributes):
        raise InputError(f"{place}: expected dense tensors, got a sparse one")
    for tensor in _tensors(graph, attributes):
        name = shortened(tensor.name) if tensor.name else "a tensor"
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            raise InputError(
                f"{place}: expected all tensors within the file, got {name} in another; export with external_data=False"
            )
        if tensor.data_type == onnx.TensorProto.STRING or len(tensor.dims) > MOST_DIMENSIONS:
            raise InputError(f"{place}: expected {name} to be numbers in at most {MOST_DIMENSIONS} dimensions")
        try:
            shape = numpy_helper.to_array(tensor).shape  # the size of what is there, never that of what is claimed
        except Exception as error:
            raise InputError(f"{place}: expected {name} with data that fit its shape, got: {one_line(error)}") from None
        if shape != tuple(tensor.dims):
            raise InputError(f"{place}: expected {name} of the shape {shape}, got {shortened(list(tensor.dims))}")


def _tensors(graph: onnx.GraphProto, attributes: list[onnx.AttributeProto]) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for attribute in attributes:
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors
