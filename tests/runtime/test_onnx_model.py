"""A model read from ONNX: its interface, and graphs with more than an RNN node."""

import os
import warnings

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from onnx import helper  # noqa: E402

import elman  # noqa: E402
from elman.runtime._onnx import node  # noqa: E402
from tests.runtime.onnx_models import NAMES, draw_arguments, info, loaded, model_of, node_model  # noqa: E402
from tests.threads import run_in_threads  # noqa: E402


@pytest.fixture
def packed(monkeypatch):
    """Count how often weights are packed for the engine."""
    times = []
    network = node._network
    monkeypatch.setattr(node, "_network", lambda *arguments: times.append(1) or network(*arguments))
    return times


def test_inputs_and_outputs_are_described():
    model = node_model(draw_arguments(lengths=[1, 2, 3]), {}, given=("X", "sequence_lens", "initial_h"))
    of_x, of_y = (value.type.tensor_type.shape.dim for value in (model.graph.input[0], model.graph.output[0]))
    of_x[0].dim_param = "steps"
    of_x[1].Clear()
    of_y[0].dim_value = -1
    del model.graph.output[1]
    model.metadata_props.add(key="author", value="nobody")
    read = loaded(model)
    assert [*read.inputs] == ["X", "initial_h", "sequence_lens"]
    assert read.inputs["X"] == (np.dtype("float32"), ("steps", None, 2))
    assert read.inputs["sequence_lens"].dtype == np.int32
    assert read.outputs["Y"].shape == (None, 1, 3, 3)
    assert dict(read.metadata) == {"author": "nobody"}
    assert str(read.inputs["X"]) == "float32 (steps, ?, 2)"
    assert repr(read).startswith(
        "OnnxModel(X: float32 (steps, ?, 2), initial_h: float32 (1, 3, 3), sequence_lens: int32 (3)"
    )
    assert repr(read).endswith(" -> Y: float32 (?, 1, 3, 3))")


@pytest.mark.parametrize(
    ("left_out", "described"),
    [("shape", "OnnxModel(X: float32 of any shape -> Y: float32 of any shape)"), ("type", "any type of any shape)")],
)
def test_shapes_and_the_types_of_outputs_need_not_be_said(left_out, described):
    arguments = draw_arguments()
    model = node_model(arguments, {}, outputs=("Y",), given=("X",))
    complete = loaded(model)
    if left_out == "type":
        model.graph.output[0].ClearField("type")
    else:
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.ClearField("shape")
    read = loaded(model)
    assert repr(read).endswith(described)
    np.testing.assert_array_equal(read({"X": arguments["X"]})["Y"], complete({"X": arguments["X"]})["Y"])


def test_a_path_may_be_a_string_or_a_path(tmp_path):
    arguments = draw_arguments()
    path = tmp_path / "m.onnx"
    path.write_bytes(node_model(arguments, {}).SerializeToString())
    first, second = elman.runtime.from_onnx(path)(arguments), elman.runtime.from_onnx(str(path))(arguments)
    np.testing.assert_array_equal(first["Y"], second["Y"])


def test_numbers_are_converted_to_the_dtype_of_the_input():
    arguments = draw_arguments(lengths=[4, 2, 1])
    arguments["X"] = np.round(arguments["X"])
    model = loaded(node_model(arguments, {}))
    expected = model(arguments)["Y"]
    for X in (arguments["X"].tolist(), arguments["X"].astype(int), arguments["X"].astype(">f8")):
        got = model({**arguments, "X": X, "sequence_lens": [4, 2, 1]})["Y"]
        np.testing.assert_array_equal(got, expected)


def test_tensors_of_pytorch_are_taken():
    torch = pytest.importorskip("torch")
    arguments = draw_arguments()
    model = loaded(node_model(arguments, {}))
    got = model({name: torch.from_numpy(array) for name, array in arguments.items()})
    np.testing.assert_array_equal(got["Y"], model(arguments)["Y"])


def test_outputs_are_fresh_and_inputs_stay_as_they_are():
    arguments = draw_arguments()
    nodes = [
        helper.make_node("RNN", ["X", "W", "R"], ["Y"]),
        helper.make_node("Identity", ["X"], ["same"]),
        helper.make_node("Identity", ["W"], ["weights"]),
    ]
    outputs = {"Y": np.zeros((4, 1, 3, 3), "f"), "same": arguments["X"], "weights": arguments["W"]}
    given = {"X": arguments["X"]}
    model = loaded(model_of(nodes, given, outputs, {name: arguments[name] for name in ("W", "R")}))
    before = arguments["X"].copy()
    first = model(given)
    expected = {name: array.copy() for name, array in first.items()}
    for array in first.values():
        assert array.flags.c_contiguous
        array[...] = 7
    np.testing.assert_array_equal(arguments["X"], before)
    for name, array in model(given).items():
        np.testing.assert_array_equal(array, expected[name])


def test_constant_weights_are_packed_once(packed):
    arguments = draw_arguments()
    model = loaded(node_model(arguments, {}, given=("X", "initial_h")))
    inputs = {name: arguments[name] for name in model.inputs}
    first, second = model(inputs), model(inputs)
    assert len(packed) == 1
    np.testing.assert_array_equal(first["Y"], second["Y"])


def test_given_weights_are_packed_for_each_call(packed):
    arguments = draw_arguments()
    model = loaded(node_model(arguments, {}))
    first = model(arguments)["Y"]
    arguments["W"] *= 2  # in place: it is the same array
    assert not np.array_equal(model(arguments)["Y"], first)
    assert len(packed) == 2


def test_weights_that_are_computed_from_constants_are_packed_once(packed):
    arguments = draw_arguments(bias=False, initial=False)
    weights = {"flat": arguments["W"][0], "R": arguments["R"]}
    constant = onnx.numpy_helper.from_array(np.array([0]))
    nodes = [
        helper.make_node("Constant", [], ["axes"], value=constant),
        helper.make_node("Unsqueeze", ["flat", "axes"], ["W"]),
        helper.make_node("RNN", ["X", "W", "R"], ["Y"]),
    ]
    X = {"X": arguments["X"]}
    model = loaded(model_of(nodes, X, {"Y": np.zeros((4, 1, 3, 3), "f")}, weights))
    first, second = model(X)["Y"], model(X)["Y"]
    assert len(packed) == 1
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, loaded(node_model(arguments, {}))(arguments)["Y"])


def test_weights_that_are_drawn_at_random_are_packed_for_each_call(packed):
    arguments = draw_arguments(bias=False, initial=False)
    nodes = [
        helper.make_node("RandomUniform", [], ["W"], shape=(1, 3, 2)),
        helper.make_node("RNN", ["X", "W", "R"], ["Y"]),
    ]
    X = {"X": arguments["X"]}
    model = loaded(model_of(nodes, X, {"Y": np.zeros((4, 1, 3, 3), "f")}, {"R": arguments["R"]}))
    assert not np.array_equal(model(X)["Y"], model(X)["Y"])
    assert len(packed) == 2


def with_defaults(arguments, ir_version):
    """A model whose weights are initialisers and inputs as well."""
    model = node_model(arguments, {}, given=("X", "initial_h"), ir_version=ir_version)
    model.graph.input.extend(info(name, arguments[name]) for name in ("W", "R", "B"))
    return model


def test_an_input_with_an_initialiser_may_be_left_out():
    arguments = draw_arguments()
    model = loaded(with_defaults(arguments, 4))
    assert [*model.inputs] == ["X", "initial_h"]
    given = {name: arguments[name] for name in model.inputs}
    plain = model(given)["Y"]
    doubled = {**arguments, "W": 2 * arguments["W"]}
    expected = loaded(node_model(doubled, {}))(doubled)["Y"]
    np.testing.assert_array_equal(model({**given, "W": doubled["W"]})["Y"], expected)
    np.testing.assert_array_equal(model(given)["Y"], plain)


def test_before_version_4_initialisers_are_constants(packed):
    arguments = draw_arguments()
    model = loaded(with_defaults(arguments, 3))
    given = {name: arguments[name] for name in model.inputs}
    assert [*given] == ["X", "initial_h"]
    model(given), model(given)
    assert len(packed) == 1
    with pytest.raises(elman.InputError, match=r"^inputs: expected X, initial_h, got X, initial_h, W$"):
        model({**given, "W": arguments["W"]})


def test_the_other_name_of_onnx_s_domain_is_the_same():
    arguments = draw_arguments()
    model = node_model(arguments, {})
    expected = loaded(model)(arguments)["Y"]
    model.opset_import[0].domain = "ai.onnx"
    model.graph.node[0].domain = "ai.onnx"
    np.testing.assert_array_equal(loaded(model)(arguments)["Y"], expected)


def test_threads_may_share_a_model():
    arguments = draw_arguments(steps=20, batch=8, input_size=16, hidden_size=32)
    nodes = [
        helper.make_node("RNN", ["X", "W", "R", "B", "", "initial_h"], ["Y", "Y_h"]),
        helper.make_node("ReduceMax", ["Y"], ["largest"], keepdims=0),
    ]
    inputs = {name: arguments[name] for name in ("X", "initial_h")}
    outputs = {"Y_h": arguments["initial_h"], "largest": np.float32(0)}
    model = loaded(model_of(nodes, inputs, outputs, {name: arguments[name] for name in ("W", "R", "B")}, opset=18))
    each = [{**inputs, "X": inputs["X"] * factor} for factor in range(1, 9)]
    expected = [model(given) for given in each]
    fresh = loaded(model_of(nodes, inputs, outputs, {name: arguments[name] for name in ("W", "R", "B")}, opset=18))
    got = [[] for _ in each]

    def run(place):
        for _ in range(20):
            got[place].append(fresh(each[place]))

    run_in_threads(len(each), run)
    for results, right in zip(got, expected, strict=True):
        assert len(results) == 20
        for result in results:
            np.testing.assert_array_equal(result["Y_h"], right["Y_h"])
            np.testing.assert_array_equal(result["largest"], right["largest"])


def test_infinities_and_nan_go_through_the_graph_without_a_warning():
    arguments = draw_arguments(bias=False, initial=False)
    nodes = [
        helper.make_node("Log", ["X"], ["log"]),
        helper.make_node("RNN", ["log", "W", "R"], ["Y"], activations=["Affine"]),
    ]
    X = {"X": np.zeros((4, 3, 2), "f")}
    weights = {name: arguments[name] for name in ("W", "R")}
    outputs = loaded(model_of(nodes, X, {"Y": np.zeros((4, 1, 3, 3), "f")}, weights))(X)
    assert not np.isfinite(outputs["Y"]).any()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("RNN", {}),
        ("RNN", {"nonlinearity": "relu", "bias": False}),
        ("RNN", {"batch_first": True}),
        ("GRU", {}),
        ("LSTM", {"batch_first": True}),
    ],
)
def test_what_pytorch_exports_gives_its_outputs(tmp_path, kind, options):
    torch = pytest.importorskip("torch")
    network = getattr(torch.nn, kind)(3, 5, num_layers=2, bidirectional=True, **options)
    x = torch.randn(6, 4, 3)
    path = os.fspath(tmp_path / "torch.onnx")
    axes = {"x": {0: "first", 1: "second"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network, (x,), path, dynamo=False, input_names=["x"], dynamic_axes=axes)
    model = elman.runtime.from_onnx(path)
    for shape in ((6, 4, 3), (9, 2, 3)):
        x = torch.randn(shape)
        outputs = model({"x": x})
        with torch.no_grad():
            output, final = network(x)
        expected = [output, *(final if kind == "LSTM" else [final])]
        for got, right in zip(outputs.values(), expected, strict=True):
            np.testing.assert_allclose(got, right.numpy(), 1e-5, 1e-6)


def test_all_inputs_of_an_operator_may_be_inputs_of_the_graph():
    arguments = draw_arguments(lengths=[4, 4, 4], operator="LSTM", peepholes=True)
    model = loaded(node_model(arguments, {}, operator="LSTM"))
    assert [*model.inputs] == sorted(NAMES, key=[*arguments].index)
    assert model(arguments)["Y"].any()
