"""RNN, GRU and LSTM nodes of every kind compute what ONNX's specification says."""

import importlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from elman.runtime._onnx.activations import Activation  # noqa: E402
from tests.runtime.onnx_models import ACTIVATIONS, GATES, draw_arguments, loaded, node_model, nodes, specified  # noqa: E402

TOLERANCE = {"float16": 3e-3, "float32": 2e-5, "float64": 1e-12}


def backend_cases():
    """ONNX's own test cases of the operators: models with inputs and outputs."""
    node = importlib.import_module("onnx.backend.test.case.node")
    for operator in GATES:
        importlib.import_module(f"onnx.backend.test.case.node.{operator.lower()}")
    return [case for case in node._NodeTestCases if any(each.op_type in GATES for each in case.model.graph.node)]


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
    assert len(backend_cases()) >= 12  # those of 1.17; of 1.23, 18


@pytest.mark.parametrize("operator", GATES)
@given(data=st.data())
@settings(max_examples=100)
def test_a_node_computes_what_the_specification_says(operator, data):
    arguments, attributes, options = data.draw(nodes(operator))
    model = loaded(node_model(arguments, attributes, **options))
    outputs = model({name: arguments[name] for name in model.inputs})
    assert_close(outputs.values(), specified(arguments, attributes, operator), arguments["X"].dtype.name)


@pytest.mark.parametrize("operator", GATES)
@given(data=st.data())
@settings(max_examples=40)
def test_a_node_computes_what_onnx_runtime_computes(operator, data):
    arguments, attributes, options = data.draw(nodes(operator, for_onnx_runtime=True))
    proto = node_model(arguments, attributes, **options)
    model = loaded(proto)
    inputs = {name: arguments[name] for name in model.inputs}
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    assert_close(model(inputs).values(), session.run(None, inputs))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_constants_have_the_defaults_of_onnx_s_operators(activation):
    arguments = draw_arguments()
    attributes = {"activations": [activation], "direction": "forward"}
    assert_close(loaded(node_model(arguments, attributes))(arguments).values(), specified(arguments, attributes))


def test_constants_go_in_order_to_the_activations_that_take_them():
    arguments = draw_arguments(directions=2)
    attributes = {"activations": ["Tanh", "Elu"], "activation_alpha": [0.5], "direction": "bidirectional"}
    outputs = loaded(node_model(arguments, attributes))(arguments)
    of_two = {**attributes, "activations": ["LeakyRelu", "Elu"], "activation_alpha": [0.25, 0.5]}
    with_two = loaded(node_model(arguments, of_two))(arguments)
    np.testing.assert_array_equal(outputs["Y"][:, 1], with_two["Y"][:, 1])
    assert not np.array_equal(outputs["Y"][:, 0], with_two["Y"][:, 0])


def test_constants_mean_nothing_to_activations_that_take_none():
    arguments = draw_arguments()
    plain, more = ({"activations": ["Tanh"], **more} for more in ({}, {"activation_alpha": [0.5, 0.5]}))
    outputs, with_more = (loaded(node_model(arguments, attributes))(arguments) for attributes in (plain, more))
    np.testing.assert_array_equal(outputs["Y"], with_more["Y"])


def test_a_second_activation_means_nothing_to_one_direction():
    arguments = draw_arguments()
    one, two = (
        loaded(node_model(arguments, {"activations": names}))(arguments)["Y"] for names in (["Relu"], ["Relu", "Elu"])
    )
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("operator", GATES)
@pytest.mark.parametrize("direction", ["forward", "reverse"])
@pytest.mark.parametrize("clip", [{}, {"clip": 2.0}])
def test_a_sequence_of_length_0_keeps_its_initial_states(operator, direction, clip):
    arguments = draw_arguments(lengths=[0, 4, 0], operator=operator)
    arguments["X"][:, 0] = np.nan  # what lies beyond a length takes no part
    outputs = loaded(node_model(arguments, {"direction": direction, **clip}, operator=operator))(arguments)
    assert not outputs.pop("Y")[:, 0, [0, 2]].any()
    for name, state in outputs.items():
        np.testing.assert_array_equal(state[0, [0, 2]], arguments[f"initial_{name[-1]}"][0, [0, 2]])


@pytest.mark.parametrize("operator", GATES)
@pytest.mark.parametrize("initial", [False, True])
def test_no_steps_give_the_initial_states(operator, initial):
    arguments = draw_arguments(steps=0, initial=initial, directions=2, operator=operator)
    outputs = loaded(node_model(arguments, {"direction": "bidirectional"}, operator=operator))(arguments)
    assert outputs.pop("Y").shape == (0, 2, 3, 3)
    for name, state in outputs.items():
        np.testing.assert_array_equal(state, arguments[f"initial_{name[-1]}"] if initial else np.zeros((2, 3, 3)))


@pytest.mark.parametrize("operator", GATES)
def test_no_sequences_give_no_states(operator):
    arguments = draw_arguments(batch=0, operator=operator)
    outputs = loaded(node_model(arguments, {}, operator=operator))(arguments)
    assert outputs.pop("Y").shape == (4, 1, 0, 3)
    assert {state.shape for state in outputs.values()} == {(1, 0, 3)}


@pytest.mark.parametrize(
    ("operator", "outputs"),
    [
        ("RNN", ("Y",)),
        ("RNN", ("", "Y_h")),
        ("GRU", ("", "Y_h")),
        ("LSTM", ("Y",)),
        ("LSTM", ("Y", "Y_h")),
        ("LSTM", ("", "", "Y_c")),
    ],
)
def test_outputs_may_be_omitted(operator, outputs):
    arguments = draw_arguments(operator=operator)
    got = loaded(node_model(arguments, {}, outputs, operator=operator))(arguments)
    every = loaded(node_model(arguments, {}, operator=operator))(arguments)
    assert [*got] == [name for name in outputs if name]
    for name, array in got.items():
        np.testing.assert_array_equal(array, every[name])


def test_an_lstm_begins_from_one_state_given_and_the_other_zero():
    arguments = draw_arguments(operator="LSTM")
    for absent in ("initial_h", "initial_c"):
        some = {name: array for name, array in arguments.items() if name != absent}
        zeros = {**arguments, absent: np.zeros_like(arguments[absent])}
        got, expected = (loaded(node_model(each, {}, operator="LSTM"))(each) for each in (some, zeros))
        for name, array in got.items():
            np.testing.assert_array_equal(array, expected[name])


@pytest.mark.parametrize("operator", GATES)
@pytest.mark.parametrize("attributes", [{}, {"clip": 0.5}])
def test_float16_is_computed_in_float32_and_rounded(operator, attributes):
    arguments = draw_arguments(dtype="float16", operator=operator, peepholes=operator == "LSTM")
    outputs = loaded(node_model(arguments, attributes, operator=operator))(arguments)
    wide = {name: array.astype(np.float32) for name, array in arguments.items()}
    for name, array in loaded(node_model(wide, attributes, operator=operator))(wide).items():
        assert outputs[name].dtype == np.float16
        np.testing.assert_array_equal(outputs[name], array.astype(np.float16))


@pytest.mark.parametrize("operator", GATES)
def test_both_directions_have_the_bits_of_each_alone(operator):
    arguments = draw_arguments(directions=2, lengths=[4, 1, 3], steps=4, hidden_size=7, operator=operator)
    both = loaded(node_model(arguments, {"direction": "bidirectional"}, operator=operator))(arguments)
    for place, direction in enumerate(("forward", "reverse")):
        split = arguments.keys() - {"X", "sequence_lens"}
        of_one = {name: array[[place]] if name in split else array for name, array in arguments.items()}
        alone = loaded(node_model(of_one, {"direction": direction}, operator=operator))(of_one)
        np.testing.assert_array_equal(alone.pop("Y")[:, 0], both["Y"][:, place])
        for name, state in alone.items():
            np.testing.assert_array_equal(state[0], both[name][place])


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


ON_THE_ENGINE = [
    ("RNN", {}, True),
    ("RNN", {"activations": ["Relu"]}, True),
    ("RNN", {"clip": 1.0}, False),
    ("GRU", {"linear_before_reset": 1}, True),
    ("GRU", {"linear_before_reset": 1, "activations": ["Sigmoid", "Tanh"]}, True),
    ("GRU", {"linear_before_reset": 1, "activations": ["HardSigmoid", "Tanh"]}, False),
    ("GRU", {"linear_before_reset": 1, "clip": 1.0}, False),
    ("GRU", {}, False),
    ("LSTM", {}, True),
    ("LSTM", {"input_forget": 1}, False),
    ("LSTM", {"activations": ["Sigmoid", "Tanh", "Relu"]}, False),
    ("LSTM", {"clip": 1.0}, False),
]


@pytest.mark.parametrize(("operator", "attributes", "expected"), ON_THE_ENGINE)
def test_the_engine_computes_a_node_whose_cell_it_has(monkeypatch, operator, attributes, expected):
    from elman.runtime._network import Network

    calls = []
    engine = Network.__call__
    monkeypatch.setattr(Network, "__call__", lambda *arguments: calls.append(1) or engine(*arguments))
    arguments = draw_arguments(operator=operator)
    outputs = loaded(node_model(arguments, attributes, operator=operator))(arguments)
    assert bool(calls) == expected
    assert_close(outputs.values(), specified(arguments, {"direction": "forward", **attributes}, operator))


def test_peepholes_are_not_the_engine_s(monkeypatch):
    from elman.runtime._network import Network

    monkeypatch.setattr(Network, "__call__", None)
    arguments = draw_arguments(operator="LSTM", peepholes=True)
    outputs = loaded(node_model(arguments, {}, operator="LSTM"))(arguments)
    assert_close(outputs.values(), specified(arguments, {"direction": "forward"}, "LSTM"))
