"""RNN nodes of every kind compute what ONNX's specification says."""

import importlib

import numpy as np
import pytest
from hypothesis import given, settings

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from elman.runtime._onnx.activations import Activation  # noqa: E402
from tests.runtime.onnx_models import ACTIVATIONS, draw_arguments, loaded, nodes, rnn_model, specified  # noqa: E402

TOLERANCE = {"float16": 3e-3, "float32": 2e-5, "float64": 1e-12}


def backend_cases():
    """ONNX's own test cases of the operator: models with inputs and outputs."""
    node = importlib.import_module("onnx.backend.test.case.node")
    importlib.import_module("onnx.backend.test.case.node.rnn")
    return [case for case in node._NodeTestCases if any(each.op_type == "RNN" for each in case.model.graph.node)]


def assert_close(outputs, expected, dtype="float32"):
    for output, right in zip(outputs, expected, strict=True):
        assert output.shape == right.shape
        assert output.dtype == dtype
        # relative to the largest: an Affine that multiplies its states by three multiplies their errors too
        np.testing.assert_allclose(output, right, 0, TOLERANCE[dtype] * max(1, np.abs(right).max(initial=0)))


@pytest.mark.parametrize("case", backend_cases(), ids=lambda case: case.name)
def test_onnx_s_own_test_case_passes(case):
    model = loaded(case.model)
    for inputs, outputs in case.data_sets:
        got = model(dict(zip(model.inputs, inputs, strict=True)))
        for output, right in zip(got.values(), outputs, strict=True):
            assert output.dtype == right.dtype
            np.testing.assert_allclose(output, right, 1e-6, 1e-6)


def test_onnx_s_own_test_cases_are_found():
    assert len(backend_cases()) >= 4  # those of 1.17; of 1.23, 6


@given(nodes())
@settings(max_examples=400)
def test_a_node_computes_what_the_specification_says(node):
    arguments, attributes, options = node
    model = loaded(rnn_model(arguments, attributes, **options))
    outputs = model({name: arguments[name] for name in model.inputs})
    assert_close(outputs.values(), specified(arguments, attributes), arguments["X"].dtype.name)


@given(nodes(for_onnx_runtime=True))
@settings(max_examples=100)
def test_a_node_computes_what_onnx_runtime_computes(node):
    arguments, attributes, options = node
    proto = rnn_model(arguments, attributes, **options)
    model = loaded(proto)
    inputs = {name: arguments[name] for name in model.inputs}
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    assert_close(model(inputs).values(), session.run(None, inputs))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_constants_have_the_defaults_of_onnx_s_operators(activation):
    arguments = draw_arguments()
    attributes = {"activations": [activation], "direction": "forward"}
    assert_close(loaded(rnn_model(arguments, attributes))(arguments).values(), specified(arguments, attributes))


def test_constants_go_in_order_to_the_activations_that_take_them():
    arguments = draw_arguments(directions=2)
    attributes = {"activations": ["Tanh", "Elu"], "activation_alpha": [0.5], "direction": "bidirectional"}
    outputs = loaded(rnn_model(arguments, attributes))(arguments)
    of_two = {**attributes, "activations": ["LeakyRelu", "Elu"], "activation_alpha": [0.25, 0.5]}
    with_two = loaded(rnn_model(arguments, of_two))(arguments)
    np.testing.assert_array_equal(outputs["Y"][:, 1], with_two["Y"][:, 1])
    assert not np.array_equal(outputs["Y"][:, 0], with_two["Y"][:, 0])


def test_constants_mean_nothing_to_activations_that_take_none():
    arguments = draw_arguments()
    plain, more = ({"activations": ["Tanh"], **more} for more in ({}, {"activation_alpha": [0.5, 0.5]}))
    outputs, with_more = (loaded(rnn_model(arguments, attributes))(arguments) for attributes in (plain, more))
    np.testing.assert_array_equal(outputs["Y"], with_more["Y"])


def test_a_second_activation_means_nothing_to_one_direction():
    arguments = draw_arguments()
    one, two = (
        loaded(rnn_model(arguments, {"activations": names}))(arguments)["Y"] for names in (["Relu"], ["Relu", "Elu"])
    )
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("direction", ["forward", "reverse"])
@pytest.mark.parametrize("clip", [{}, {"clip": 2.0}])
def test_a_sequence_of_length_0_keeps_its_initial_state(direction, clip):
    arguments = draw_arguments(lengths=[0, 4, 0])
    arguments["X"][:, 0] = np.nan  # what lies beyond a length takes no part
    outputs = loaded(rnn_model(arguments, {"direction": direction, **clip}))(arguments)
    assert not outputs["Y"][:, 0, [0, 2]].any()
    np.testing.assert_array_equal(outputs["Y_h"][0, [0, 2]], arguments["initial_h"][0, [0, 2]])


@pytest.mark.parametrize("initial", [False, True])
def test_no_steps_give_the_initial_states(initial):
    arguments = draw_arguments(steps=0, initial=initial, directions=2)
    outputs = loaded(rnn_model(arguments, {"direction": "bidirectional"}))(arguments)
    assert outputs["Y"].shape == (0, 2, 3, 3)
    np.testing.assert_array_equal(outputs["Y_h"], arguments["initial_h"] if initial else np.zeros((2, 3, 3)))


def test_no_sequences_give_no_states():
    arguments = draw_arguments(batch=0)
    outputs = loaded(rnn_model(arguments, {}))(arguments)
    assert (outputs["Y"].shape, outputs["Y_h"].shape) == ((4, 1, 0, 3), (1, 0, 3))


@pytest.mark.parametrize("outputs", [("Y",), ("", "Y_h"), ("Y", "Y_h")])
def test_outputs_may_be_omitted(outputs):
    arguments = draw_arguments()
    got = loaded(rnn_model(arguments, {}, outputs))(arguments)
    both = loaded(rnn_model(arguments, {}))(arguments)
    assert [*got] == [name for name in outputs if name]
    for name, array in got.items():
        np.testing.assert_array_equal(array, both[name])


@pytest.mark.parametrize("attributes", [{}, {"activations": ["Softsign"]}])
def test_float16_is_computed_in_float32_and_rounded(attributes):
    arguments = draw_arguments(dtype="float16")
    outputs = loaded(rnn_model(arguments, attributes))(arguments)
    wide = {name: array.astype(np.float32) for name, array in arguments.items()}
    for name, array in loaded(rnn_model(wide, attributes))(wide).items():
        assert outputs[name].dtype == np.float16
        np.testing.assert_array_equal(outputs[name], array.astype(np.float16))


def test_both_directions_have_the_bits_of_each_alone():
    arguments = draw_arguments(directions=2, lengths=[4, 1, 3], steps=4, hidden_size=7)
    both = loaded(rnn_model(arguments, {"direction": "bidirectional"}))(arguments)
    for place, direction in enumerate(("forward", "reverse")):
        of_one = {**arguments, **{name: arguments[name][[place]] for name in ("W", "R", "B", "initial_h")}}
        alone = loaded(rnn_model(of_one, {"direction": direction}))(of_one)
        np.testing.assert_array_equal(alone["Y"][:, 0], both["Y"][:, place])
        np.testing.assert_array_equal(alone["Y_h"][0], both["Y_h"][place])


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_of_large_numbers_neither_overflow_nor_lose_themselves(name):
    x = np.array([-1e30, -200, -90, -1e-30, 0, 1e-30, 90, 200, 1e30], np.float32)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        values = Activation(name, 0.5, 0.5)(x)
    assert np.isfinite(values).all()
    assert values.dtype == np.float32


def test_activations_are_precise_where_the_formula_as_written_is_not():
    x = np.array([-80.0, -20.0, -1e-6])
    np.testing.assert_allclose(Activation("Sigmoid")(x), np.exp(x) / (1 + np.exp(x)), 1e-15)
    np.testing.assert_allclose(Activation("Softplus")(x[:2]), np.exp(x[:2]), 1e-8)
    np.testing.assert_allclose(Activation("Elu", 1.0)(x[2:]), x[2:] + x[2:] ** 2 / 2, 1e-12)


def test_the_engine_computes_the_nodes_and_not_onnx(monkeypatch):
    from onnx.reference.ops.op_rnn import CommonRNN

    from elman.runtime._onnx import node

    calls = []
    engine = node.RNN.__call__
    monkeypatch.setattr(node.RNN, "__call__", lambda *arguments: calls.append(1) or engine(*arguments))
    monkeypatch.setattr(CommonRNN, "_run", None)
    for attributes, expected in (({}, 1), ({"activations": ["Relu"]}, 2), ({"clip": 1.0}, 2)):
        loaded(rnn_model(draw_arguments(), attributes))(draw_arguments())
        assert len(calls) == expected
