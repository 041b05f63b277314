"""What is written as ONNX is sound, says what the network says, and reads back to its bits."""

import json
import subprocess
import sys
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from safetensors.numpy import load_file  # noqa: E402

import elman  # noqa: E402
from elman.runtime import RNN  # noqa: E402
from elman.runtime._linear import softmax  # noqa: E402
from elman.runtime._onnx import writing  # noqa: E402
from elman.runtime._onnx.to_onnx import write_text_classifier  # noqa: E402
from elman.runtime._parameters import Sizes  # noqa: E402
from elman.runtime._rnn import class_of, network_of  # noqa: E402
from elman.runtime._states import from_states  # noqa: E402
from elman.runtime._vocabulary import Vocabulary, tokenize  # noqa: E402
from tests.runtime.networks import network as make  # noqa: E402
from tests.runtime.networks import normal  # noqa: E402
from tests.runtime.refusals import refusal  # noqa: E402
from tests.runtime.test_text_classifier import classifier  # noqa: E402

VERSION_1 = Path(__file__).parents[1] / "models" / "version_1"


def network(layers=1, bidirectional=False, bias=True, dtype="float32", cell="tanh", batch_first=False):
    draw = np.random.default_rng(layers).uniform
    shapes = Sizes(3, (5,) * layers, bidirectional, bias, class_of(cell).family).shapes()
    parameters = {name: draw(-1, 1, shape).astype(dtype) for name, shape in shapes.items()}
    return network_of(cell, parameters, batch_first)


def inputs_of(rnn, steps=7, batch=4):
    draw = np.random.default_rng(0).uniform
    shape = (batch, steps, 3) if rnn.batch_first else (steps, batch, 3)
    states = (rnn.num_layers * (2 if rnn.bidirectional else 1), batch, 5)
    shapes = {"input": shape, **{f"{letter}_0": states for letter in rnn.family.states}}
    return {name: draw(-1, 1, shape).astype(rnn.dtype) for name, shape in shapes.items()}


def run_onnx_runtime(path, inputs):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("cell", ["tanh", "relu", "gru", "lstm"])
@pytest.mark.parametrize("layers", [1, 3])
def test_a_network_reads_back_to_its_bits(tmp_path, layers, cell, dtype):
    for number, (bidirectional, batch_first, bias) in enumerate(product([False, True], repeat=3)):
        rnn, path = network(layers, bidirectional, bias, dtype, cell, batch_first), tmp_path / f"{number}.onnx"
        rnn.to_onnx(path)
        onnx.checker.check_model(onnx.load(path), full_check=True)
        model = elman.runtime.from_onnx(path)
        for steps, batch in ((7, 4), (1, 1), (30, 2)):
            inputs = inputs_of(rnn, steps, batch)
            x, *initial = inputs.values()
            output, final = rnn(x, from_states(tuple(initial)))
            names = [f"{letter}_n" for letter in rnn.family.states]
            expected = dict(zip(["output", *names], [output, *(final if len(names) > 1 else [final])], strict=True))
            got = model(inputs)
            assert [*got] == [*expected]
            for name, right in expected.items():
                np.testing.assert_array_equal(got[name], right)
            if dtype == "float32":  # ONNX Runtime has these operators in no other
                for name, other in run_onnx_runtime(path, inputs).items():
                    np.testing.assert_allclose(other, expected[name], 1e-5, 1e-5)


def names_of(rnn, stage):
    """The graph's names of initial (0) or final (n) states."""
    each = [""] if rnn.states_form.is_even else [f"_l{layer}" for layer in range(rnn.num_layers)]
    return [f"{letter}_{stage}{suffix}" for letter in rnn.family.states for suffix in each]


def arrays_of(states):
    """The arrays that states are made of, in the order of the names."""
    return [array for state in states for array in arrays_of(state)] if isinstance(states, tuple) else [states]


@pytest.mark.parametrize("cell", ["tanh", "gru", "lstm"])
@pytest.mark.parametrize("widths", [(5,), (5, 5, 5), (5, 7), (6, 6, 4)])
def test_widths_residual_connections_and_learned_states_read_back_to_their_bits(tmp_path, cell, widths):
    for number, flags in enumerate(product([False, True], repeat=4)):
        bidirectional, batch_first, learned, residual = flags
        path, options = tmp_path / f"{number}.onnx", {"batch_first": batch_first, "residual": residual}
        rnn = make(3, widths, cell=cell, bidirectional=bidirectional, learned=learned, **options)
        rnn.to_onnx(path)
        onnx.checker.check_model(onnx.load(path), full_check=True)
        x = normal(7, 4, 3)
        x = x.swapaxes(0, 1) if batch_first else x
        _, given = rnn(normal(*x.shape, seed=1), resets=None)
        initial = dict(zip(names_of(rnn, 0), arrays_of(given), strict=True))
        model = elman.runtime.from_onnx(path)
        assert [*model.inputs] == ["input", *([] if learned else initial)]
        for h_0, inputs in ((given, initial), (None, {} if learned else {n: 0 * a for n, a in initial.items()})):
            output, final = rnn(x, h_0)
            expected = dict(zip(["output", *names_of(rnn, "n")], [output, *arrays_of(final)], strict=True))
            got = model({"input": x} | inputs)
            assert [*got] == [*expected]
            for name, right in expected.items():
                np.testing.assert_array_equal(got[name], right)
            for name, other in run_onnx_runtime(path, {"input": x} | inputs).items():
                np.testing.assert_allclose(other, expected[name], 1e-5, 1e-5)


def test_learned_states_are_an_input_s_default(tmp_path):
    make(3, (5, 7), cell="lstm", learned=True).to_onnx(tmp_path / "lstm.onnx")
    assert repr(elman.runtime.from_onnx(tmp_path / "lstm.onnx")) == (
        "OnnxModel(input: float32 (steps, batch, 3) -> output: float32 (steps, batch, 7), "
        "h_n_l0: float32 (1, batch, 5), h_n_l1: float32 (1, batch, 7), "
        "c_n_l0: float32 (1, batch, 5), c_n_l1: float32 (1, batch, 7))"
    )


def test_a_network_s_inputs_and_outputs_are_described(tmp_path):
    rnn = network(2, bidirectional=True, batch_first=True)
    rnn.to_onnx(tmp_path / "rnn.onnx")
    assert repr(elman.runtime.from_onnx(tmp_path / "rnn.onnx")) == (
        "OnnxModel(input: float32 (batch, steps, 3), h_0: float32 (4, batch, 5) -> "
        "output: float32 (batch, steps, 10), h_n: float32 (4, batch, 5))"
    )


def test_an_lstm_has_its_second_state_beside_the_first(tmp_path):
    network(cell="lstm").to_onnx(tmp_path / "lstm.onnx")
    assert repr(elman.runtime.from_onnx(tmp_path / "lstm.onnx")) == (
        "OnnxModel(input: float32 (steps, batch, 3), h_0: float32 (1, batch, 5), c_0: float32 (1, batch, 5) -> "
        "output: float32 (steps, batch, 5), h_n: float32 (1, batch, 5), c_n: float32 (1, batch, 5))"
    )


def test_the_file_says_who_wrote_it_for_whom(tmp_path):
    network().to_onnx(tmp_path / "rnn.onnx")
    model = onnx.load(tmp_path / "rnn.onnx")
    assert (model.producer_name, model.producer_version) == ("elman", elman.__version__)
    assert {entry.key: entry.value for entry in model.metadata_props} == {
        "producer": "elman",
        "version": elman.__version__,
    }
    assert (model.ir_version, [opset.version for opset in model.opset_import]) == (8, [18])


def test_the_same_network_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        network(2).to_onnx(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def stand_in():
    """A text classifier of the parts that the writer names."""
    tensors = load_file(VERSION_1 / "model.safetensors")
    config = json.loads((VERSION_1 / "config.json").read_text("utf-8"))
    return SimpleNamespace(
        embedding=tensors["embedding.weight"],
        ngrams=None,
        rnn=RNN({name[4:]: array for name, array in tensors.items() if name.startswith("rnn.")}),
        output_weight=tensors["output.weight"],
        output_bias=tensors["output.bias"],
        classes=config["classes"],
        tokens=config["text"]["tokens"],
        segmentation="older",
        max_length=config["text"]["max_length"],
        vocabulary=Vocabulary.from_lines((VERSION_1 / "vocabulary.txt").read_text("utf-8"), "vocabulary.txt"),
    )


def padded(encoded, more=0):
    lengths = np.array([len(numbers) for numbers in encoded])
    tokens = np.zeros((len(encoded), lengths.max() + more), np.int64)
    for row, numbers in zip(tokens, encoded, strict=True):
        row[: len(numbers)] = numbers
    return {"tokens": tokens, "lengths": lengths}


def test_a_text_classifier_says_what_it_said_in_training(tmp_path):
    path, written = tmp_path / "classifier.onnx", stand_in()
    write_text_classifier(written, path, overwrite=False)
    onnx.checker.check_model(onnx.load(path), full_check=True)
    told = json.loads(VERSION_1.with_suffix(".json").read_text("utf-8"))
    model = elman.runtime.from_onnx(path)

    # as one would who has the file alone
    reading = json.loads(model.metadata["text_classifier"])
    assert reading["classes"] == ["别", "论语", "诗经"]
    number_of = {token: number for number, token in enumerate(reading["vocabulary"])}
    texts = [tokenize(text, reading["tokens"], reading["max_length"])[0] for text in told["texts"]]
    encoded = [[2, *(number_of.get(token, 1) for token in text), 3] for text in texts]
    assert encoded == [written.vocabulary.encode(text) for text in texts]

    for more in (0, 9):
        for run in (model, lambda inputs: run_onnx_runtime(path, inputs)):
            probabilities = run(padded(encoded, more))["probabilities"]
            np.testing.assert_allclose(probabilities, told["probabilities"], 1e-5, 1e-6)
            for numbers, together in zip(encoded, probabilities, strict=True):
                alone = run(padded([numbers]))["probabilities"]
                np.testing.assert_allclose(alone[0], together, 1e-5, 1e-6)


@pytest.mark.parametrize(
    ("cell", "layers", "bidirectional"),
    [
        ("tanh", 1, False),
        ("tanh", 2, False),
        ("tanh", 1, True),
        ("gru", 1, True),
        ("lstm", 2, False),
        ("lstm", 1, True),
    ],
)
def test_pooling_takes_each_text_s_own_steps(tmp_path, cell, layers, bidirectional):
    draw, written = np.random.default_rng(1).uniform, stand_in()
    sizes = Sizes(4, (6,) * layers, bidirectional, True, class_of(cell).family)
    # a tanh's states are all negative: a zero of the padding would be the greatest
    rnn = network_of(cell, {name: draw(-1, 0, shape).astype("f") for name, shape in sizes.shapes().items()})
    written.rnn, written.embedding = rnn, np.abs(written.embedding)
    written.output_weight = draw(-1, 1, (3, 18 * sizes.directions)).astype("f")
    write_text_classifier(written, tmp_path / "m.onnx", overwrite=False)
    encoded = [[2, 5, 3], [2, 4, 5, 6, 7, 3], [2, 3]]
    expected = []
    for numbers in encoded:
        states, final = rnn(written.embedding[numbers])
        h_n = final[0] if cell == "lstm" else final
        pooled = np.concatenate([states.max(0), states.mean(0), h_n[-sizes.directions :].ravel()])
        scores = np.exp(written.output_weight @ pooled + written.output_bias)
        expected.append(scores / scores.sum())
    for run in (elman.runtime.from_onnx(tmp_path / "m.onnx"), lambda x: run_onnx_runtime(tmp_path / "m.onnx", x)):
        np.testing.assert_allclose(run(padded(encoded, 2))["probabilities"], expected, 1e-4, 1e-6)


@pytest.mark.parametrize("ngram", [1, 2, 4])
def test_n_grams_have_the_same_rows_in_onnx(tmp_path, ngram):
    model, path = classifier(ngram=ngram), tmp_path / "m.onnx"
    write_text_classifier(model, path, overwrite=False)
    onnx.checker.check_model(onnx.load(path), full_check=True)
    encoded = [model.encode(text) for text in ("abc", "", "我爱你", "a" * 30, "cab abc")]
    expected = softmax(model.scores(encoded))
    for run in (elman.runtime.from_onnx(path), lambda inputs: run_onnx_runtime(path, inputs)):
        np.testing.assert_allclose(run(padded(encoded, 3))["probabilities"], expected, 1e-5, 1e-6)


def test_export_takes_what_elman_saves_and_trains(tmp_path):
    rnn = network(2)
    rnn.save(tmp_path / "rnn.safetensors")
    elman.runtime.export(tmp_path / "rnn.safetensors", tmp_path / "a.onnx")
    elman.runtime.export(rnn, tmp_path / "b.onnx")
    elman.runtime.export(rnn.parameters, tmp_path / "c.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "c.onnx").read_bytes()
    elman.runtime.export(str(VERSION_1), str(tmp_path / "d.onnx"))
    write_text_classifier(stand_in(), tmp_path / "e.onnx", overwrite=False)
    assert (tmp_path / "d.onnx").read_bytes() == (tmp_path / "e.onnx").read_bytes()


def test_a_gru_of_keras_goes_out_with_its_reset_first(tmp_path):
    draw, path = np.random.default_rng(0).uniform, tmp_path / "gru.onnx"
    layers = [[draw(-1, 1, shape).astype("f") for shape in ((n, 15), (5, 15), (15,))] for n in (3, 5)]
    gru = elman.runtime.from_keras(layers, reset_after=False)
    gru.to_onnx(path)
    inputs = inputs_of(gru)
    output, h_n = gru(*inputs.values())
    for run in (elman.runtime.from_onnx(path), lambda inputs: run_onnx_runtime(path, inputs)):
        got = run(inputs)
        np.testing.assert_allclose(got["output"], output, 1e-5, 1e-5)
        np.testing.assert_allclose(got["h_n"], h_n, 1e-5, 1e-5)


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_export_takes_a_network_of_pytorch(tmp_path, kind):
    torch = pytest.importorskip("torch")
    module = getattr(torch.nn, kind)(3, 5, batch_first=True)
    elman.runtime.export(module, tmp_path / "m.onnx")
    model, x, states = elman.runtime.from_onnx(tmp_path / "m.onnx"), torch.randn(2, 6, 3), torch.randn(2, 1, 2, 5)
    with torch.no_grad():
        output, _ = module(x, tuple(states) if kind == "LSTM" else states[0])
    inputs = dict(zip(model.inputs, [x, *states], strict=False))
    np.testing.assert_allclose(model(inputs)["output"], output.numpy(), 1e-5, 1e-6)


def test_a_file_that_is_there_stays_unless_it_may_be_replaced(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_text("precious")
    words = f"{path}: expected a new file, there is one already; choose another name or add overwrite=True"
    assert refusal(network().to_onnx, path) == words
    assert refusal(elman.runtime.export, network(), path) == words
    assert refusal(elman.runtime.export, VERSION_1, path) == words
    assert path.read_text() == "precious"
    network().to_onnx(path, overwrite=True)
    elman.runtime.from_onnx(path)
    elman.runtime.export(VERSION_1, path, overwrite=True)
    elman.runtime.from_onnx(path)
    assert [*tmp_path.iterdir()] == [path]


def test_what_cannot_be_exported_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "m.onnx"
    assert refusal(elman.runtime.export, 3, path) == (
        "network: expected an RNN, GRU or LSTM, a cell of these or parameters by name, got builtins.int"
    )
    assert refusal(elman.runtime.export, tmp_path / "none", path).startswith(f"{tmp_path / 'none'}: expected ")
    monkeypatch.setattr(writing, "MOST_BYTES", 199)
    size = sum(array.nbytes for array in network().parameters.values()) + 24  # the shape of the output
    assert refusal(network().to_onnx, path) == f"{path}: expected parameters of at most 199 bytes, got {size}"
    assert not path.exists()


def test_importing_elman_imports_no_onnx():
    code = "import elman, sys; elman.runtime.export, elman.runtime.from_onnx; print('onnx' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "False\n"


def test_without_onnx_one_is_told_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    for call, doing in (
        (lambda: elman.runtime.from_onnx(tmp_path / "m.onnx"), "reading"),
        (lambda: network().to_onnx(tmp_path / "m.onnx"), "writing"),
        (lambda: elman.runtime.export(VERSION_1, tmp_path / "m.onnx"), "writing"),
        (lambda: write_text_classifier(stand_in(), tmp_path / "m.onnx", overwrite=False), "writing"),
    ):
        with pytest.raises(ImportError, match=f"^{doing} ONNX needs onnx: pip install .*\\[onnx]'?$"):
            call()


def test_writing_needs_no_pytorch(tmp_path):
    code = f"""
import sys, elman
elman.runtime.export({str(VERSION_1)!r}, {str(tmp_path / "m.onnx")!r})
elman.runtime.from_onnx({str(tmp_path / "m.onnx")!r})({{"tokens": [[2, 3]], "lengths": [2]}})
print("torch" in sys.modules)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "False\n"


def test_a_model_that_has_no_onnx_is_named(tmp_path):
    tagger = VERSION_1.parent / "sequence_tagger_1"
    expected = "expected a recurrent network or a text classifier, got an elman sequence tagger"
    assert refusal(elman.runtime.export, tagger, tmp_path / "m.onnx") == f"{tagger}: {expected}"
    assert refusal(elman.runtime.export, elman.load(tagger), tmp_path / "m.onnx") == f"model: {expected}"
