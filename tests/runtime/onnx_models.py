"""ONNX models of one RNN node, arguments for them, and what the operator's specification makes of these."""

import math
import tempfile
from pathlib import Path

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import helper

import elman

NAMES = ("X", "W", "R", "B", "sequence_lens", "initial_h")
ACTIVATIONS = {  # whether alpha and beta are taken, and the defaults of ONNX's operators of these names
    "Relu": (None, None),
    "Tanh": (None, None),
    "Sigmoid": (None, None),
    "Affine": (1.0, 0.0),
    "LeakyRelu": (np.float32(0.01), None),
    "ThresholdedRelu": (1.0, None),
    "ScaledTanh": (1.0, 1.0),
    "HardSigmoid": (np.float32(0.2), 0.5),
    "Elu": (1.0, None),
    "Softsign": (None, None),
    "Softplus": (None, None),
}
FORMULAS = {
    "Relu": lambda x, a, b: max(0.0, x),
    "Tanh": lambda x, a, b: math.tanh(x),
    "Sigmoid": lambda x, a, b: 1 / (1 + math.exp(-x)),
    "Affine": lambda x, a, b: a * x + b,
    "LeakyRelu": lambda x, a, b: x if x >= 0 else a * x,
    "ThresholdedRelu": lambda x, a, b: x if x >= a else 0.0,
    "ScaledTanh": lambda x, a, b: a * math.tanh(b * x),
    "HardSigmoid": lambda x, a, b: min(max(a * x + b, 0.0), 1.0),
    "Elu": lambda x, a, b: x if x >= 0 else a * (math.exp(x) - 1),
    "Softsign": lambda x, a, b: x / (1 + abs(x)),
    "Softplus": lambda x, a, b: math.log(1 + math.exp(x)),
}


def info(name, array):
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)


def model_of(nodes, inputs, outputs, initializers=None, opset=22, ir_version=10, **more):
    """A model; inputs, outputs and initializers are arrays by name."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [info(name, array) for name, array in inputs.items()],
        [info(name, array) for name, array in outputs.items()],
        [onnx.numpy_helper.from_array(array, name) for name, array in (initializers or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version, **more)


def rnn_model(arguments, attributes, outputs=("Y", "Y_h"), given=NAMES, **options):
    """A model of one RNN node.

    Args:
        arguments: the node's inputs by name; absent ones are left out.
        attributes: the node's.
        outputs: their names; "" omits one.
        given: the inputs that a call gives; the others are initialisers.
    """
    names = [name if name in arguments else "" for name in NAMES]
    while not names[-1]:
        names.pop()
    X, W, hidden_size = arguments["X"], arguments["W"], arguments["R"].shape[-1]
    leading = X.shape[:2]
    shapes = [(leading[0], len(W), leading[1], hidden_size), (len(W), leading[1], hidden_size)]
    if attributes.get("layout"):
        shapes = [(*leading, len(W), hidden_size), (leading[0], len(W), hidden_size)]
    return model_of(
        [helper.make_node("RNN", names, outputs, "cell", **attributes)],
        {name: array for name, array in arguments.items() if name in given},
        {name: np.zeros(shape, X.dtype) for name, shape in zip(outputs, shapes, strict=False) if name},
        {name: array for name, array in arguments.items() if name not in given},
        **options,
    )


def loaded(model):
    """What is read back from the file of a model, its bytes or a proto."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        return elman.runtime.from_onnx(path)


def draw_arguments(
    seed=0, steps=4, batch=3, input_size=2, hidden_size=3, directions=1, dtype="float32", layout=0, lengths=None,
    bias=True, initial=True,
):  # fmt: skip
    draw = np.random.default_rng(seed).uniform
    shapes = {
        "X": (steps, batch, input_size),
        "W": (directions, hidden_size, input_size),
        "R": (directions, hidden_size, hidden_size),
        "B": (directions, 2 * hidden_size),
        "initial_h": (directions, batch, hidden_size),
    }
    arguments = {name: draw(-1, 1, shape).astype(dtype) for name, shape in shapes.items()}
    arguments["X"] *= 3
    if not bias:
        del arguments["B"]
    if not initial:
        del arguments["initial_h"]
    if layout:
        arguments |= {name: arguments[name].swapaxes(0, 1).copy() for name in arguments.keys() & {"X", "initial_h"}}
    if lengths is not None:
        arguments["sequence_lens"] = np.array(lengths, np.int32)
    return arguments


@st.composite
def nodes(draw, for_onnx_runtime=False):
    """Arguments, attributes and further options of :func:`rnn_model`."""
    directions = draw(st.sampled_from([1, 2]))
    opset = draw(st.sampled_from([7, 14, 22] if for_onnx_runtime else [1, 7, 14, 22]))
    layout = draw(st.sampled_from([0, 1])) if opset >= 14 and not for_onnx_runtime else 0
    steps, batch = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    least = 1 if for_onnx_runtime else 0  # of length 0 it reads out of bounds
    arguments = draw_arguments(
        seed=draw(st.integers(0, 2**32)),
        steps=steps,
        batch=batch,
        input_size=draw(st.integers(1, 5)),
        hidden_size=draw(st.integers(1, 9)),
        directions=directions,
        dtype=draw(st.sampled_from(["float32"] if for_onnx_runtime else ["float32", "float64"])),
        layout=layout,
        lengths=draw(st.none() | st.lists(st.integers(least, steps), min_size=batch, max_size=batch)),
        bias=draw(st.booleans()),
        initial=draw(st.booleans()),
    )
    attributes = {"direction": "bidirectional" if directions == 2 else draw(st.sampled_from(["forward", "reverse"]))}
    attributes |= {"layout": layout} if layout else {}
    attributes |= {"hidden_size": arguments["R"].shape[-1]} if for_onnx_runtime or draw(st.booleans()) else {}
    attributes |= {"clip": draw(st.sampled_from([0.25, 1.5]))} if draw(st.booleans()) else {}
    if draw(st.booleans()):
        names = draw(st.lists(st.sampled_from([*ACTIVATIONS]), min_size=directions, max_size=directions))
        attributes["activations"] = names
        for place, attribute in enumerate(("activation_alpha", "activation_beta")):
            takers = sum(ACTIVATIONS[name][place] is not None for name in names)
            count = takers if for_onnx_runtime else draw(st.integers(0, takers))  # its defaults are other ones
            constants = st.floats(0.125, 1, width=32)
            attributes |= {attribute: draw(st.lists(constants, min_size=count, max_size=count))} if count else {}
    return arguments, attributes, {"opset": opset, "given": draw(st.sampled_from([NAMES, ("X", "sequence_lens")]))}


def specified(arguments, attributes):
    """Y and Y_h in float64 by the specification, one number after the other."""
    X, W, R = (arguments[name].astype(np.float64) for name in ("X", "W", "R"))
    layout, (directions, hidden_size) = attributes.get("layout", 0), W.shape[:2]
    X = X.swapaxes(0, 1) if layout else X
    steps, batch = X.shape[:2]
    B = arguments.get("B", np.zeros((directions, 2 * hidden_size))).astype(np.float64)
    lengths = arguments.get("sequence_lens", [steps] * batch)
    initial = np.zeros((directions, batch, hidden_size))
    if "initial_h" in arguments:
        initial = arguments["initial_h"].swapaxes(0, 1) if layout else arguments["initial_h"]
    alphas, betas = iter(attributes.get("activation_alpha", ())), iter(attributes.get("activation_beta", ()))
    clip = attributes.get("clip", np.inf)
    Y, Y_h = np.zeros((steps, directions, batch, hidden_size)), np.zeros((directions, batch, hidden_size))
    for d, name in zip(range(directions), attributes.get("activations", ["Tanh", "Tanh"]), strict=False):
        a, b = (
            None if default is None else float(next(values, default))
            for default, values in zip(ACTIVATIONS[name], (alphas, betas), strict=True)
        )
        backwards = attributes["direction"] == "reverse" or d == 1
        for n in range(batch):
            h = initial[d, n].astype(np.float64)
            for t in range(lengths[n])[:: -1 if backwards else 1]:
                z = W[d] @ X[t, n] + R[d] @ h + B[d, :hidden_size] + B[d, hidden_size:]
                h = np.array([FORMULAS[name](min(max(value, -clip), clip), a, b) for value in z])
                Y[t, d, n] = h
            Y_h[d, n] = h
    return (Y.transpose(2, 0, 1, 3), Y_h.swapaxes(0, 1)) if layout else (Y, Y_h)
