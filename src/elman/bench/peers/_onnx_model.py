"""An ONNX model of one RNN, GRU or LSTM operator with fixed sizes, as small as can be."""

from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from elman.bench._problem import Array, Problem, Results, in_order

__all__ = ["inputs_of", "model_of"]


def inputs_of(problem: Problem) -> Results:
    """Return what goes in: x; for a single step h_0 as well and, where the cell has one, c_0."""
    states = {f"{name}_0": state[None] for name, state in zip(problem.case.family.states, problem.states, strict=True)}
    return {"x": problem.x} | (states if problem.case.kind == "step" else {})


def model_of(problem: Problem) -> bytes:
    """Return the serialized model: x (steps, batch, input_size) to Y (steps, 1, batch, hidden_size).

    States are (1, batch, hidden_size).
    """
    family, (steps, batch, _, hidden_size) = problem.case.family, problem.case.shape

    def ordered(array: Array) -> Array:
        return in_order(array, family.gates, family.onnx_gates)

    arrays = {
        "W": ordered(problem.weight_ih),
        "R": ordered(problem.weight_hh),
        "B": np.concatenate([ordered(problem.bias_ih), ordered(problem.bias_hh)]),
    }
    x, *states = given = inputs_of(problem)
    inputs = [x, *arrays, "", *states] if states else [x, *arrays]  # "": no sequence_lens
    options: dict[str, Any] = {"linear_before_reset": 1} if family.apart else {}  # PyTorch's GRU
    graph = helper.make_graph(
        [helper.make_node(family.title, inputs, ["Y"], hidden_size=hidden_size, **options)],
        family.name,
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, array.shape) for name, array in given.items()],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, (steps, 1, batch, hidden_size))],
        [numpy_helper.from_array(array[None], name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content
