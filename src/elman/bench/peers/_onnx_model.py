"""An ONNX model of one RNN operator with fixed sizes, as small as can be."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from elman.bench._problem import Problem

__all__ = ["model_of"]


def model_of(problem: Problem) -> bytes:
    """Return the serialized model: x (steps, batch, input_size) to Y (steps, 1, batch, hidden_size).

    A single step also takes h_0 (1, batch, hidden_size).
    """
    steps, batch, input_size, hidden_size = problem.case.shape
    arrays = {"W": problem.weight_ih, "R": problem.weight_hh, "B": np.concatenate([problem.bias_ih, problem.bias_hh])}
    shapes = {"x": (steps, batch, input_size)}
    state = ["", "h_0"] if problem.case.kind == "step" else []
    if state:
        shapes["h_0"] = (1, batch, hidden_size)
    graph = helper.make_graph(
        [helper.make_node("RNN", ["x", *arrays, *state], ["Y"], hidden_size=hidden_size)],
        "rnn",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, (steps, 1, batch, hidden_size))],
        [numpy_helper.from_array(array[None], name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content
