"""What a person is told when the weights, states or attributes of an ONNX node do not fit."""

import numpy as np
import pytest

pytest.importorskip("onnx")

import elman
from tests.runtime.onnx_models import NAMES, draw_arguments, loaded, node_model
from tests.runtime.refusals import refusal

ARGUMENTS = draw_arguments()
OF_W = "W: expected the shape (1, hidden_size, input_size), got"
NODES = {
    "W of two directions": ({"W": np.zeros((2, 3, 2), "f")}, {}, f"{OF_W} (2, 3, 2)"),
    "W of two dimensions": ({"W": np.zeros((3, 2), "f")}, {}, f"{OF_W} (3, 2)"),
    "W of no inputs": ({"W": np.zeros((1, 3, 0), "f")}, {}, f"{OF_W} (1, 3, 0)"),
    "W of integers": ({"W": np.zeros((1, 3, 2), int)}, {}, "W: expected float16, float32, float64, got int64"),
    "hidden_size": ({}, {"hidden_size": 7}, "W: expected hidden_size 7, as the attribute has, got (1, 3, 2)"),
    "R": ({"R": np.zeros((1, 3, 4), "f")}, {}, "R: expected the shape (1, 3, 3), got (1, 3, 4)"),
    "R of float64": ({"R": np.zeros((1, 3, 3))}, {}, "R: expected float32, as W has, got float64"),
    "B": ({"B": np.zeros((1, 3), "f")}, {}, "B: expected the shape (1, 6), got (1, 3)"),
    "X": ({"X": np.zeros((4, 3, 5), "f")}, {}, "X: expected the shape (steps, batch, 2), got (4, 3, 5)"),
    "X batch first": (
        {"X": np.zeros((4, 3, 5), "f")},
        {"layout": 1},
        "X: expected the shape (batch, steps, 2), got (4, 3, 5)",
    ),
    "X of float64": ({"X": np.zeros((4, 3, 2))}, {}, "X: expected float32, as W has, got float64"),
    "initial_h": (
        {"initial_h": np.zeros((2, 3, 3), "f")},
        {},
        "initial_h: expected the shape (1, 3, 3), got (2, 3, 3)",
    ),
    "lengths of another shape": (
        {"sequence_lens": np.zeros((3, 1), np.int32)},
        {},
        "sequence_lens: expected the shape (3,), one for each sequence, got (3, 1)",
    ),
    "lengths of floats": (
        {"sequence_lens": np.zeros(3, "f")},
        {},
        "sequence_lens: expected integers, got float32",
    ),
}


@pytest.mark.parametrize("name", NODES)
def test_a_node_refuses_what_does_not_fit(name):
    changed, attributes, words = NODES[name]
    arguments = {**ARGUMENTS, **changed}
    model = loaded(node_model({key: arguments[key] for key in NAMES if key in arguments}, attributes))
    assert refusal(model, arguments).partition(", node ")[2] == f"'cell' (RNN): {words}"


OF_GRU = "expected the shape (1, 3 * hidden_size, input_size), got"
GATED = {
    "W": (
        "GRU",
        {"W": np.zeros((1, 10, 2), "f")},
        "expected the shape (1, 3 * hidden_size, input_size), got (1, 10, 2)",
    ),
    "R": ("LSTM", {"R": np.zeros((1, 3, 3), "f")}, "expected the shape (1, 12, 3), got (1, 3, 3)"),
    "B": ("GRU", {"B": np.zeros((1, 9), "f")}, "expected the shape (1, 18), got (1, 9)"),
    "P": ("LSTM", {"P": np.zeros((1, 12), "f")}, "expected the shape (1, 9), got (1, 12)"),
    "initial_c": ("LSTM", {"initial_c": np.zeros((3, 1, 3), "f")}, "expected the shape (1, 3, 3), got (3, 1, 3)"),
}


@pytest.mark.parametrize("name", GATED)
def test_a_gated_node_refuses_what_does_not_fit(name):
    operator, changed, words = GATED[name]
    arguments = {**draw_arguments(operator=operator), **changed}
    arguments = {key: arguments[key] for key in NAMES if key in arguments}
    model = loaded(node_model(arguments, {}, operator=operator))
    assert refusal(model, arguments).partition(", node ")[2] == f"'cell' ({operator}): {name}: {words}"


@pytest.mark.parametrize(
    ("operator", "attributes", "words"),
    [
        ("GRU", {"activations": ["Sigmoid"]}, "expected 2, 2 a direction, got 1"),
        ("LSTM", {"activations": ["Sigmoid"] * 3, "direction": "bidirectional"}, "expected 6, 3 a direction, got 3"),
    ],
)
def test_activations_of_gated_nodes_are_counted(tmp_path, operator, attributes, words):
    path = tmp_path / "m.onnx"
    directions = 2 if "direction" in attributes else 1
    arguments = draw_arguments(operator=operator, directions=directions)
    path.write_bytes(node_model(arguments, attributes, operator=operator).SerializeToString())
    assert refusal(elman.runtime.from_onnx, path) == f"{path}, node 'cell' ({operator}): activations: {words}"
