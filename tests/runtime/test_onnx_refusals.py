"""What a person is told when an ONNX file, or what it is handed, cannot be used."""

import os

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

import elman  # noqa: E402
from tests.runtime.onnx_models import draw_arguments, info, loaded, model_of, node_model  # noqa: E402
from tests.runtime.refusals import refusal  # noqa: E402

ARGUMENTS = draw_arguments()
STATES = np.zeros((4, 1, 3, 3), "f")
WEIGHTS = {name: ARGUMENTS[name] for name in ("W", "R")}
NEWEST = onnx.defs.onnx_opset_version()


def plain():
    return node_model(ARGUMENTS, {}, given=("X", "initial_h"))


def graph_of(*nodes, **options):
    """A model of nodes in front of an RNN that reads Z."""
    rnn = helper.make_node("RNN", ["Z", "W", "R"], ["Y"], "cell")
    return model_of([*nodes, rnn], {"X": ARGUMENTS["X"]}, {"Y": STATES}, WEIGHTS, **options)


def cut_short():
    content = plain().SerializeToString()
    return content[: len(content) // 2]


def external():
    model = plain()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    return model


def external_constant():
    tensor = numpy_helper.from_array(np.zeros(3, "f"), "c")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret")
    return graph_of(helper.make_node("Constant", [], ["c"], value=tensor), helper.make_node("Add", ["X", "c"], ["Z"]))


def with_function():
    model = plain()
    opsets = [helper.make_opsetid("", 22)]
    body = [helper.make_node("Abs", ["x"], ["y"])]
    model.functions.append(helper.make_function("own", "magnitude", ["x"], ["y"], body, opsets))
    return model


def control_flow(operator):
    body = helper.make_graph([helper.make_node("Abs", ["X"], ["z"])], "body", [], [info("z", ARGUMENTS["X"])])
    attributes = {"then_branch": body, "else_branch": body} if operator == "If" else {"body": body}
    return graph_of(helper.make_node(operator, ["X"], ["Z"], "flow", **attributes))


def other_domain():
    model = graph_of(helper.make_node("Gelu", ["X"], ["Z"], domain="com.microsoft"))
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return model


def with_opset(version):
    model = plain()
    model.opset_import[0].version = version
    return model


def sparse():
    model = plain()
    values, indices = numpy_helper.from_array(np.ones(1, "f"), "s"), numpy_helper.from_array(np.array([0]), "i")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [2**40]))
    return model


def with_tensor(**fields):
    model = plain()
    tensor = model.graph.initializer[0]
    for name, value in fields.items():
        if name == "dims":
            del tensor.dims[:]
            tensor.dims.extend(value)
        else:
            setattr(tensor, name, value)
    return model


def with_input_type(elem_type):
    model = plain()
    model.graph.input[0].type.tensor_type.elem_type = elem_type
    return model


def input_of_a_sequence():
    model = plain()
    model.graph.input.append(helper.make_tensor_sequence_value_info("list", TensorProto.FLOAT, [1]))
    return model


def output_of_nothing():
    model = plain()
    model.graph.output.append(info("nothing", STATES))
    return model


def with_attributes(**attributes):
    return node_model(ARGUMENTS, attributes, given=("X", "initial_h"))


def without_nodes():
    return model_of([], {"X": ARGUMENTS["X"]}, {"X": ARGUMENTS["X"]})


def future_format():
    model = plain()
    model.ir_version = 9999
    return model


def unknown_attribute():
    return with_attributes(magic=1)


def out_of_order():
    return graph_of(helper.make_node("Abs", ["elsewhere"], ["Z"]))


NEEDS_ONE = "expected a model with an RNN, GRU or LSTM node"
ALONE = "expected operators of ONNX alone, got the"
FILES = {
    "empty": (b"", "expected an ONNX model, got a file without a graph"),
    "text": (b"X,W,R\n1,2,3\n", "expected an ONNX model, got a file cut short or of another kind"),
    "an image": (b"\x89PNG\r\n\x1a\n" + bytes(99), "expected an ONNX model, got a file cut short or of another kind"),
    "cut short": (cut_short, "expected an ONNX model, got a file cut short or of another kind"),
    "a tensor outside": (
        external,
        "expected all tensors within the file, got 'W' in another; export with external_data=False",
    ),
    "a constant outside": (
        external_constant,
        "expected all tensors within the file, got 'c' in another; export with external_data=False",
    ),
    "If": (lambda: control_flow("If"), ", node 'flow' (If): expected no control flow, got a graph within the node"),
    "Loop": (
        lambda: control_flow("Loop"),
        ", node 'flow' (Loop): expected no control flow, got a graph within the node",
    ),
    "Scan": (
        lambda: control_flow("Scan"),
        ", node 'flow' (Scan): expected no control flow, got a graph within the node",
    ),
    "a function": (with_function, f"{ALONE} function 'magnitude'"),
    "another domain": (other_domain, f", node 0 (Gelu): {ALONE} domain 'com.microsoft'"),
    "no RNN": (
        lambda: model_of([helper.make_node("Abs", ["X"], ["Y"])], {"X": STATES}, {"Y": STATES}),
        f"{NEEDS_ONE}, got Abs; PyTorch writes one with dynamo=False",
    ),
    "no node": (without_nodes, f"{NEEDS_ONE}, got no node; PyTorch writes one with dynamo=False"),
    "an opset of the future": (lambda: with_opset(9999), f"expected an opset from 1 to {NEWEST}, got 9999"),
    "opset 0": (lambda: with_opset(0), f"expected an opset from 1 to {NEWEST}, got 0"),
    "sparse": (sparse, "expected dense tensors, got a sparse one"),
    "too large": (
        lambda: with_tensor(dims=[2**31, 2**31, 2]),
        "expected 'W' with data that fit its shape, got: "
        "cannot reshape array of size 6 into shape (2147483648,2147483648,2)",
    ),
    "many dimensions": (
        lambda: with_tensor(dims=[2**62] * 100_000),
        "expected 'W' to be numbers in at most 32 dimensions",
    ),
    "a negative size": (
        lambda: with_tensor(dims=[1, 3, -1]),
        "expected 'W' of the shape (1, 3, 2), got [1, 3, -1]",
    ),
    "an unknown dtype": (lambda: with_tensor(data_type=99), "expected 'W' with data that fit its shape, got: 99"),
    "strings": (
        lambda: with_tensor(data_type=TensorProto.STRING),
        "expected 'W' to be numbers in at most 32 dimensions",
    ),
    "an input of strings": (
        lambda: with_input_type(TensorProto.STRING),
        "expected 'X' to be a tensor of numbers, got another type",
    ),
    "an input of bfloat16": (
        lambda: with_input_type(TensorProto.BFLOAT16),
        "expected 'X' to be a tensor of numbers, got another type",
    ),
    "an input of a sequence": (input_of_a_sequence, "expected 'list' to be a tensor of numbers, got another type"),
    "a direction": (
        lambda: with_attributes(direction="sideways"),
        ", node 'cell' (RNN): direction: expected forward, reverse, bidirectional, got 'sideways'",
    ),
    "a layout": (lambda: with_attributes(layout=2), ", node 'cell' (RNN): layout: expected 0 or 1, got 2"),
    "a clip": (
        lambda: with_attributes(clip=-1.0),
        ", node 'cell' (RNN): clip: expected a threshold of at least 0, got -1.0",
    ),
    "no clip": (
        lambda: with_attributes(clip=np.nan),
        ", node 'cell' (RNN): clip: expected a threshold of at least 0, got nan",
    ),
    "an activation": (
        lambda: with_attributes(activations=["tanh"]),
        ", node 'cell' (RNN): activations: expected Relu, Tanh, Sigmoid, Affine, LeakyRelu, ThresholdedRelu, "
        "ScaledTanh, HardSigmoid, Elu, Softsign, Softplus, got 'tanh'",
    ),
    "one activation for two": (
        lambda: with_attributes(activations=["Tanh"], direction="bidirectional"),
        ", node 'cell' (RNN): activations: expected 2, 1 a direction, got 1",
    ),
    "constants": (
        lambda: with_attributes(activations=["Elu"], activation_alpha=[1.0, 2.0]),
        ", node 'cell' (RNN): activation_alpha: expected 1 at most, one for an activation that takes it, got 2",
    ),
    "a second constant": (
        lambda: with_attributes(activations=["Affine"], activation_beta=[1.0, 2.0]),
        ", node 'cell' (RNN): activation_beta: expected 1 at most, one for an activation that takes it, got 2",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_refused(tmp_path, name):
    made, words = FILES[name]
    made = made() if callable(made) else made
    path = tmp_path / "m.onnx"
    path.write_bytes(made if isinstance(made, bytes) else made.SerializeToString())
    message = refusal(elman.runtime.from_onnx, path)
    assert message == f"{path}{words if words.startswith(',') else f': {words}'}"


@pytest.mark.parametrize("made", [future_format, unknown_attribute, out_of_order, output_of_nothing])
def test_what_onnx_finds_fault_with_is_refused_in_its_words(tmp_path, made):
    path = tmp_path / "m.onnx"
    path.write_bytes(made().SerializeToString())
    assert refusal(elman.runtime.from_onnx, path).startswith(
        f"{path}: expected a model that onnx.checker accepts, got: "
    )


def test_no_file_is_refused(tmp_path):
    assert refusal(elman.runtime.from_onnx, tmp_path / "m.onnx") == (
        f"{tmp_path / 'm.onnx'}: expected a readable file, No such file or directory"
    )
    assert refusal(elman.runtime.from_onnx, tmp_path) == f"{tmp_path}: expected a file, got a folder"
    os.mkfifo(tmp_path / "pipe")
    assert (
        refusal(elman.runtime.from_onnx, tmp_path / "pipe") == f"{tmp_path / 'pipe'}: expected a file, got a named pipe"
    )


def test_names_of_a_stranger_are_shown_safely(tmp_path):
    path = tmp_path / "m.onnx"
    model = graph_of(helper.make_node("\x1b[31m" + "Z" * 500, ["X"], ["Z"], "\x1b[2J\n" * 100, domain="\n\x07"))
    path.write_bytes(model.SerializeToString())
    message = refusal(elman.runtime.from_onnx, path)
    assert message.isprintable()
    model = graph_of(helper.make_node("\x1b[31m" + "Z" * 500, ["X"], ["Z"], "\x1b[2J\n" * 100))
    path.write_bytes(model.SerializeToString())
    assert refusal(elman.runtime.from_onnx, path).isprintable()
    for attributes in ({"direction": "\x07" * 999}, {"activations": ["\x07" * 999]}):
        path.write_bytes(with_attributes(**attributes).SerializeToString())
        assert refusal(elman.runtime.from_onnx, path).isprintable()
    model = plain()
    model.graph.input[0].name = model.graph.node[0].input[0] = name = "\x07" * 999
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = name
    assert refusal(loaded(model), {}).isprintable()
    assert refusal(loaded(model), {name: 1, "initial_h": 2}).isprintable()


@pytest.mark.parametrize("seed", range(4))
def test_damaged_files_are_refused_or_read_and_nothing_else(tmp_path, seed):
    path, random = tmp_path / "m.onnx", np.random.default_rng(seed)
    content = np.frombuffer(plain().SerializeToString(), np.uint8)
    told = []
    for _ in range(150):
        damaged = content.copy()
        damaged[random.integers(0, len(content), random.integers(1, 4))] = random.integers(0, 256)
        path.write_bytes(damaged[: random.integers(1, len(content))] if random.random() < 0.2 else damaged)
        try:
            model = elman.runtime.from_onnx(path)
            model({name: ARGUMENTS.get(name, 0) for name in model.inputs})
        except elman.InputError as error:
            told.append(str(error))
    assert told
    assert not any("\n" in message for message in told)


CALLS = {
    "no dict": ([ARGUMENTS["X"]], "inputs: expected a dict of arrays by name, got list"),
    "none": ({}, "inputs: expected X, initial_h, got none"),
    "one missing": ({"X": ARGUMENTS["X"]}, "inputs: expected X, initial_h, got X"),
    "one too many": ({"X": 1, "initial_h": 2, "W": 3}, "inputs: expected X, initial_h, got X, initial_h, W"),
    "another name": ({"x": 1, "initial_h": 2}, "inputs: expected X, initial_h, got x, initial_h"),
    "complex": ({"X": STATES + 1j}, "X: expected real numbers, got ndarray of dtype complex64"),
    "text": ({"X": "abc"}, "X: expected real numbers, got str of dtype <U3"),
    "ragged": ({"X": [[1], [2, 3]]}, "X: expected an array of numbers on the CPU, got list (setting an array element"),
    "a rank": ({"X": STATES[0]}, "X: expected float32 (4, 3, 2), got the shape (1, 3, 3)"),
    "dimensions": ({"X": STATES}, "X: expected float32 (4, 3, 2), got the shape (4, 1, 3, 3)"),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_refused(name):
    inputs, words = CALLS[name]
    if isinstance(inputs, dict) and [*inputs] == ["X"] and "inputs" not in words:
        inputs = {**inputs, "initial_h": ARGUMENTS["initial_h"]}
    message = refusal(loaded(plain()), inputs)
    assert message == words or (name == "ragged" and message.startswith(words))


@pytest.mark.parametrize(
    ("lengths", "words"),
    [
        ([1.0, 2, 3], "sequence_lens: expected int32, got float64"),
        ([1, 2], "sequence_lens: expected int32 (3), got the shape (2,)"),
        ([1, 2, 2**40], "sequence_lens: expected integers that int32 holds, got larger ones"),
        ([1, 5, 3], "node 'cell' (RNN): sequence_lens[1]: expected 0 to 4, the steps of X, got 5"),
        ([1, 2, -1], "node 'cell' (RNN): sequence_lens[2]: expected 0 to 4, the steps of X, got -1"),
    ],
)
def test_lengths_are_refused(lengths, words):
    arguments = draw_arguments(lengths=[1, 2, 3])
    model = loaded(node_model(arguments, {}))
    assert refusal(model, {**arguments, "sequence_lens": lengths}).endswith(words)


def test_what_goes_wrong_in_another_node_is_known_by_its_name():
    model = loaded(graph_of(helper.make_node("MatMul", ["X", "X"], ["Z"], "product")))
    assert (
        refusal(model, {"X": ARGUMENTS["X"]})
        .partition(", node ")[2]
        .startswith("'product' (MatMul): expected inputs that fit, got the shapes (4, 3, 2), (4, 3, 2): ")
    )


FLOODS = {
    "Expand": (["X", "shape"], [2**15, 4, 3, 2**15]),
    "ConstantOfShape": (["shape"], [2**15, 2**15]),
    "Tile": (["X", "shape"], [2**15, 2**15, 1]),
    "Range": (["zero", "shape", "one"], 2**40),
}


@pytest.mark.parametrize("operator", FLOODS)
def test_a_node_that_asks_for_more_than_the_memory_is_refused_before_it_is_taken(operator):
    inputs, sizes = FLOODS[operator]
    constants = [
        helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.array(value)))
        for name, value in {"shape": sizes, "zero": 0, "one": 1}.items()
    ]
    model = loaded(graph_of(*constants, helper.make_node(operator, inputs, ["Z"], "flood")))
    words = f"'flood' ({operator}): expected a result of at most 268435456 elements, got one of "
    assert refusal(model, {"X": ARGUMENTS["X"]}).partition(", node ")[2].startswith(words)


def test_a_node_may_ask_for_what_is_there():
    shape = numpy_helper.from_array(np.array([4, 3, 1]))
    constant = helper.make_node("Constant", [], ["shape"], value=shape)
    model = loaded(graph_of(constant, helper.make_node("Expand", ["X", "shape"], ["Z"], "still")))
    model({"X": ARGUMENTS["X"]})


def test_an_output_that_is_no_tensor_is_refused():
    nodes = [
        helper.make_node("RNN", ["X", "W", "R"], ["Y"], "cell"),
        helper.make_node("SequenceConstruct", ["Y"], ["list"]),
    ]
    model = loaded(model_of(nodes, {"X": ARGUMENTS["X"]}, {"list": STATES}, WEIGHTS))
    assert refusal(model, {"X": ARGUMENTS["X"]}) == "list: expected a tensor, as the model says, got list"
