"""ONNX files: raw bytes, or edits of the messages within sound models; what loads is computed."""

import functools
import importlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from elman.runtime import RNN, export, from_onnx
from elman.runtime._onnx import model as _watched  # noqa: F401  imported later otherwise, and then not watched
from elman.runtime._parameters import Sizes
from fuzz.choices import Choices
from fuzz.edits import edit_bytes
from fuzz.rule import REFUSED, attempt
from fuzz.targets import model_folder

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
NODES: list[tuple[str, dict[str, Any]]] = [
    ("RNN", {}),
    ("RNN", {"direction": "reverse", "activations": ["Affine"], "activation_alpha": [0.5], "activation_beta": [0.1]}),
    ("RNN", {"direction": "bidirectional", "activations": ["Relu", "Elu"], "clip": 1.5}),
    ("RNN", {"layout": 1, "activations": ["Sigmoid"]}),
    ("GRU", {"linear_before_reset": 1}),
    ("GRU", {"direction": "bidirectional", "layout": 1}),
    ("LSTM", {}),
    ("LSTM", {"direction": "reverse", "input_forget": 1, "clip": 1.5}),
]
OPERATORS = (
    "RNN", "Identity", "Transpose", "Reshape", "Cast", "Add", "Concat", "Gather", "Slice", "Split", "Squeeze", "Shape",
    "Unsqueeze", "Expand", "ConstantOfShape", "Softmax", "Gemm", "MatMul", "LSTM", "GRU", "If", "Loop", "Scan",
    "NonZero", "SequenceEmpty", "Optional", "StringConcat", "Dropout", "Abs", "", "x\ny", "Einsum", "ImageDecoder",
)  # fmt: skip
WORDS = ("", "X", "Y", "W", "a", "x\ny", "x" * 2000, "Tanh", "forward", "bidirectional", "ai.onnx", "ai.onnx.ml", "我")
NUMBERS = (0, 1, -1, 2, 3, 7, 100, 2**31 - 1, 2**31, 2**62, 2**63 - 1, -(2**63))
FLOATS = (0.0, 1.0, -1.0, float("nan"), float("inf"), 1e-40, 3e38)
MOST_INPUTS = 10**4  # numbers


def node_model(operator: str, attributes: dict[str, Any]) -> onnx.ModelProto:
    """A model of one recurrent node with lengths and initial states; an LSTM that is not plain has peepholes."""
    directions = 2 if attributes.get("direction") == "bidirectional" else 1
    first, gates = attributes.get("layout") == 1, GATES[operator]
    states = ["h", "c"] if operator == "LSTM" else ["h"]
    peepholes = ["P"] if operator == "LSTM" and attributes else []
    shapes = {"W": (directions, 2 * gates, 3), "R": (directions, 2 * gates, 2), "B": (directions, 4 * gates)}
    shapes |= dict.fromkeys(peepholes, (directions, 6))
    weights = {n: np.sin(np.arange(1, np.prod(s) + 1, dtype="f") ** 2).reshape(s) for n, s in shapes.items()}
    state = (2, directions, 2) if first else (directions, 2, 2)
    inputs = [
        helper.make_tensor_value_info("X", 1, (2, 4, 3) if first else (4, 2, 3)),
        helper.make_tensor_value_info("lengths", onnx.TensorProto.INT32, (2,)),
        *(helper.make_tensor_value_info(name, 1, state) for name in states),
    ]
    last = [f"Y_{name}" for name in states]
    outputs = [
        helper.make_tensor_value_info("Y", 1, None),
        *(helper.make_tensor_value_info(name, 1, state) for name in last),
    ]
    read = ["X", "W", "R", "B", "lengths", *states, *peepholes]
    node = helper.make_node(operator, read, ["Y", *last], hidden_size=2, **attributes)
    initializers = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph([node], "graph", inputs, outputs, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)


@functools.cache
def bases() -> list[bytes]:
    """Sound models: what elman writes, and single nodes."""
    models = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.onnx")
        for sizes, batch_first in (((2, (3,), False, True), False), ((3, (2, 2), True, True), True)):
            shapes = Sizes(*sizes, RNN.family).shapes()
            rnn = RNN({name: np.ones(shape, "f") for name, shape in shapes.items()}, "tanh", batch_first)
            rnn.to_onnx(path, overwrite=True)
            models.append(path.read_bytes())
        export(model_folder.VERSION_1, path, overwrite=True)
        models.append(path.read_bytes())
    return models + [node_model(*node).SerializeToString(deterministic=True) for node in NODES]


def edit_message(message: Any, choices: Choices) -> None:
    """Change, leave out or double a field of a protobuf message, or of one within it."""
    present = [field for field, _ in message.ListFields()]
    if not present or choices.chance(6):
        present = list(message.DESCRIPTOR.fields)
    field = choices.pick(present)
    repeated = field.is_repeated if hasattr(field, "is_repeated") else field.label == field.LABEL_REPEATED
    value = getattr(message, field.name)
    if repeated and (len(value) == 0 or choices.chance(4)):
        if field.message_type is not None:
            part = value.add()
            part.CopyFrom(choices.pick(list(value)))
        else:
            value.append(some_value(field, choices))
    elif repeated and choices.chance(4):
        del value[choices.number(len(value))]
    elif field.message_type is not None:
        edit_message(value[choices.number(len(value))] if repeated else value, choices)
    elif repeated:
        value[choices.number(len(value))] = some_value(field, choices)
    elif choices.chance(4):
        message.ClearField(field.name)
    elif field.type == field.TYPE_BYTES:
        setattr(message, field.name, edit_bytes(value, choices)[:4096])
    else:
        setattr(message, field.name, some_value(field, choices))


def some_value(field: Any, choices: Choices) -> Any:
    if field.type == field.TYPE_BYTES:
        return choices.pick(WORDS).encode() if choices.chance() else choices.take(choices.number(16))
    if field.type == field.TYPE_STRING:
        return choices.pick(OPERATORS if field.name == "op_type" else WORDS)
    if field.enum_type is not None:
        return choices.pick([value.number for value in field.enum_type.values])
    if field.cpp_type in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
        return choices.pick(FLOATS)
    number = choices.pick(NUMBERS)
    least, most = (0, 2**64 - 1) if field.cpp_type == field.CPPTYPE_UINT64 else (-(2**63), 2**63 - 1)
    if field.cpp_type == field.CPPTYPE_INT32:
        least, most = -(2**31), 2**31 - 1
    return min(max(number, least), most)


def content(data: bytes) -> bytes:
    """The file that bytes stand for."""
    if data[:1] != b"E":
        return data
    choices = Choices(data[1:])
    model: Any = onnx.ModelProto.FromString(choices.pick(bases()))
    while choices:
        edit_message(model if choices.chance(8) else model.graph, choices)
    return bytes(model.SerializeToString(deterministic=True))


@functools.cache
def place() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="fuzz-onnx-")


def run(data: bytes) -> None:
    path = Path(place().name, "model.onnx")
    path.write_bytes(content(data))
    model = attempt(from_onnx, path)
    if model is REFUSED:
        return
    repr(model)
    given = {}
    for name, kind in model.inputs.items():
        shape = [size if isinstance(size, int) else 2 for size in kind.shape or ()]
        if np.prod(shape, dtype=float) > MOST_INPUTS:
            return
        values = np.sin(np.arange(int(np.prod(shape)))) if kind.dtype.kind == "f" else np.ones(int(np.prod(shape)))
        given[name] = values.reshape(shape).astype(kind.dtype)
    outputs = attempt(model, given)
    assert outputs is REFUSED or outputs.keys() == model.outputs.keys()


def seeds() -> dict[str, bytes]:
    node = importlib.import_module("onnx.backend.test.case.node")
    for operator in GATES:
        importlib.import_module(f"onnx.backend.test.case.node.{operator.lower()}")
    own = {f"base_{number}": content for number, content in enumerate(bases())}
    cases = {
        case.name: case.model.SerializeToString()
        for case in node._NodeTestCases
        if case.model and any(each.op_type in GATES for each in case.model.graph.node)
    }
    edits = {
        f"edit_{number}": bytes([ord("E"), number, 1, *range(3 * number, 3 * number + 9)])
        for number in range(len(bases()))
    }
    return {**own, **{name: content for name, content in cases.items() if len(content) < 20_000}, **edits}
