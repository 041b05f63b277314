"""Networks to files and back."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

import elman
from elman import InputError
from tests.runtime.networks import network, normal, parameters

OPTIONS = [
    {},
    {"cell": "relu", "batch_first": True},
    {"num_layers": 3, "bidirectional": True, "dtype": "float64", "bias": False},
    {"cell": "gru", "batch_first": True},
    {"cell": "lstm", "num_layers": 2, "bidirectional": True, "dtype": "float64"},
    {"hidden_size": (6, 8), "learned": True},
    {"hidden_size": (6, 6, 8), "learned": True, "residual": True, "cell": "lstm", "bidirectional": True},
    {"num_layers": 2, "residual": True, "cell": "gru", "batch_first": True},
]


def made(options):
    options = {"hidden_size": 6, "num_layers": 1} | options
    return network(4, options.pop("hidden_size"), options.pop("num_layers"), **options)


@pytest.mark.parametrize("options", OPTIONS)
def test_what_is_saved_is_loaded_to_the_bit(tmp_path, options):
    rnn, path, x = made(options), tmp_path / "rnn.safetensors", normal(5, 3, 4)
    elman.save(rnn, path)
    for loaded in (elman.load(path), elman.load(str(path)), type(rnn).load(path)):
        assert type(loaded) is type(rnn)
        assert repr(loaded) == repr(rnn)
        assert (loaded(x)[0] == rnn(x)[0]).all()
    rnn.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("options", OPTIONS)
def test_a_file_is_of_version_3_only_where_older_programs_would_compute_something_else(tmp_path, options):
    rnn = made(options)
    rnn.save(tmp_path / "rnn")
    with safetensors.safe_open(tmp_path / "rnn", "numpy") as file:
        said = file.metadata()
    assert said["version"] == ("3" if rnn.residual else "2")
    assert ("residual" in said) == rnn.residual


def test_a_file_says_whether_there_are_residual_connections(tmp_path):
    made({"num_layers": 2, "residual": True}).save(tmp_path / "ours")
    made({"num_layers": 2}).save(tmp_path / "plain")
    assert elman.runtime.RNN.load(tmp_path / "ours", residual=True).residual
    for name, own in (("ours", True), ("plain", False)):
        with pytest.raises(InputError, match=f"expected residual to be None or the file's, {own}, got {not own}"):
            elman.runtime.RNN.load(tmp_path / name, residual=not own)
    for cell, kind, said in (("tanh", elman.runtime.RNN, ("tanh", False)), ("lstm", elman.runtime.LSTM, (False,))):
        path = tmp_path / f"{cell}_of_another_program"
        safetensors.numpy.save_file(parameters(4, 6, 2, cell=cell), path)
        assert [kind.load(path, *said, residual=given).residual for given in (None, False, True)] == [0, 0, 1]
    with pytest.raises(InputError, match="residual: expected None or the network's own, False, got True"):
        elman.save(network(), tmp_path / "other", residual=True)


def test_parameters_by_name_are_saved_with_what_they_do_not_say(tmp_path):
    elman.save(parameters(), tmp_path / "rnn", nonlinearity="relu", batch_first=True)
    assert repr(elman.load(tmp_path / "rnn")) == "RNN(4, 6, nonlinearity='relu', batch_first=True, float32)"
    with pytest.raises(InputError, match="nonlinearity: expected None or the network's own, 'tanh', got 'relu'"):
        elman.save(network(), tmp_path / "other", nonlinearity="relu")
    with pytest.raises(InputError, match=r"network: expected an RNN, GRU or LSTM, .*, got builtins\.int"):
        elman.save(3, tmp_path / "other")
    for options, message in (
        ({"batch_first": "false"}, "batch_first: expected True or False, got 'false'"),
        ({"nonlinearity": ""}, "nonlinearity: expected 'tanh' or 'relu', got ''"),
    ):
        with pytest.raises(InputError, match=message):
            elman.save(parameters(), tmp_path / "other", **options)
    assert os.listdir(tmp_path) == ["rnn"]


def test_nothing_is_overwritten_unasked(tmp_path):
    path = tmp_path / "rnn.safetensors"
    path.write_text("mine")
    with pytest.raises(InputError, match="expected a new file, there is one already"):
        elman.save(network(), path)
    assert path.read_text() == "mine"
    elman.save(network(), path, overwrite=True)
    assert elman.load(path).hidden_size == 6
    with pytest.raises(InputError, match="expected the name of a file, there is a folder of that name"):
        elman.save(network(), tmp_path, overwrite=True)
    with pytest.raises(InputError, match="expected a place that can be written"):
        elman.save(network(), tmp_path / "none" / "rnn")


def test_the_file_of_another_program_needs_to_be_explained(tmp_path):
    path = tmp_path / "rnn.safetensors"
    safetensors.numpy.save_file(parameters(), path)
    for load in (elman.load, elman.runtime.RNN.load, lambda path: elman.runtime.RNN.load(path, "relu")):
        with pytest.raises(InputError, match=r"expected a file that elman\.save wrote"):
            load(path)
    rnn = elman.runtime.RNN.load(path, "relu", False)
    assert (rnn(normal(5, 4))[0] == network(cell="relu")(normal(5, 4))[0]).all()
    elman.save(rnn, tmp_path / "ours")
    assert elman.runtime.RNN.load(tmp_path / "ours", "relu").nonlinearity == "relu"
    with pytest.raises(InputError, match="expected nonlinearity to be None or the file's, 'relu', got 'tanh'"):
        elman.runtime.RNN.load(tmp_path / "ours", "tanh")


@pytest.mark.parametrize(("cell", "title"), [("gru", "GRU"), ("lstm", "LSTM")])
def test_parameters_by_name_say_what_cell_they_are_of(tmp_path, cell, title):
    elman.save(parameters(cell=cell), tmp_path / "ours", batch_first=True)
    assert repr(elman.load(tmp_path / "ours")) == f"{title}(4, 6, batch_first=True, float32)"
    for network_or_dict in (parameters(cell=cell), network(cell=cell)):
        with pytest.raises(InputError, match=f"nonlinearity: expected None for an? {title}, got 'tanh'"):
            elman.save(network_or_dict, tmp_path / "other", nonlinearity="tanh")
    theirs = tmp_path / "theirs"
    safetensors.numpy.save_file(parameters(cell=cell), theirs)
    kind = getattr(elman.runtime, title)
    for load in (elman.load, kind.load):
        with pytest.raises(InputError, match=rf"call elman\.runtime\.{title}\.load with batch_first$"):
            load(theirs)
    assert (kind.load(theirs, True)(normal(3, 5, 4))[0] == elman.load(tmp_path / "ours")(normal(3, 5, 4))[0]).all()
    with pytest.raises(InputError, match=f"expected an RNN, got an? {title}, which elman.runtime.{title}.load reads"):
        elman.runtime.RNN.load(tmp_path / "ours")
    with pytest.raises(InputError, match=rf"looks? like an? {title}'s parameters"):
        elman.runtime.RNN.load(theirs, "tanh", False)


MODELS = Path(__file__).parents[1] / "models"


@pytest.mark.parametrize(
    ("version", "described"),
    [
        (1, "RNN(2, 3, num_layers=2, nonlinearity='relu', batch_first=True, bidirectional=True, float32)"),
        (2, "GRU(2, 3, num_layers=2, batch_first=True, bidirectional=True, float32)"),
        (3, "LSTM(2, (3, 3, 2), num_layers=3, learn_initial_state=True, residual=True, float32)"),
    ],
)
def test_a_file_of_every_version_is_loaded_for_good(version, described):
    rnn = elman.load(MODELS / f"network_{version}.safetensors")
    said = json.loads((MODELS / f"network_{version}.json").read_text())
    assert repr(rnn) == described
    output, h_n = rnn(said["x"], resets=said.get("resets"))
    np.testing.assert_allclose(output, said["output"], rtol=1e-5, atol=1e-6)
    for ours, theirs in zip(h_n, said["h_n"], strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


GOOD = {"format": "elman rnn", "version": "2", "cell": "tanh", "batch_first": "false"}


@pytest.mark.parametrize(
    ("tensors", "metadata", "message"),
    [
        ({}, {"version": "5"}, "expected __metadata__.version to be '3', got '5'"),
        ({}, {"version": "3"}, "expected the key __metadata__.residual, got none of that name"),
        (
            {},
            {"version": "3", "residual": "True"},
            "expected __metadata__.residual to be 'false' or 'true', got 'True'",
        ),
        ({}, {"residual": "true"}, "expected only the keys"),
        ({}, {"version": "1"}, "expected only the keys"),
        ({}, {"format": "elman gru"}, "expected __metadata__.format to be 'elman rnn', got 'elman gru'"),
        ({}, {"cell": "rnn"}, "expected __metadata__.cell to be 'tanh', 'relu', 'gru' or 'lstm', got 'rnn'"),
        ({}, {"cell": "gru"}, r"weight_hh_l0: expected the shape \(6, 2\), got \(6, 6\) \(these look like an RNN's"),
        (
            {"weight_hr_l0": np.zeros((3, 6), "f")},
            {"cell": "lstm"},
            "weight_hr_l0: expected an LSTM without a projection",
        ),
        ({}, {"extra": "1"}, "expected only the keys"),
        ({"bias_hh_l0": None}, {}, "bias_hh_l0: expected this array beside"),
        ({"bias_hh_l1": np.zeros(6, "f")}, {}, "bias_hh_l1: expected 1 layers"),
        ({"weight_hh_l0": np.zeros((6, 5), "f")}, {}, r"weight_hh_l0: expected the shape \(6, 6\), got \(6, 5\)"),
        ({"bias_ih_l0": np.zeros(6)}, {}, "bias_ih_l0: expected float32, as bias_hh_l0 is, got float64|expected float"),
        ({"bias_ih_l0": np.zeros(6, np.float16)}, {}, "F16"),
    ],
)
def test_files_that_are_no_network_are_refused(tmp_path, tensors, metadata, message):
    path = tmp_path / "rnn.safetensors"
    held = {name: array for name, array in (parameters() | tensors).items() if array is not None}
    safetensors.numpy.save_file(held, path, GOOD | metadata)
    with pytest.raises(InputError, match=message) as caught:
        elman.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_weights_that_are_not_finite_are_warned_of(tmp_path):
    given = parameters()
    given["weight_hh_l0"][0, 0] = np.nan
    elman.save(given, tmp_path / "rnn")
    with pytest.warns(RuntimeWarning, match="weight_hh_l0 holds infinite weights or NaN"):
        elman.load(tmp_path / "rnn")


def test_the_file_of_a_cell_is_a_network(tmp_path):
    cell = {name.removesuffix("_l0"): array for name, array in parameters().items()}
    safetensors.numpy.save_file(cell, tmp_path / "cell")
    rnn = elman.runtime.RNN.load(tmp_path / "cell", "tanh", False)
    assert (rnn(normal(5, 4))[0] == network()(normal(5, 4))[0]).all()


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(InputError, match="expected a file or a model folder"):
        elman.load("a\0b")
    with pytest.raises(InputError, match="expected the name of a file, got one with a NUL in it"):
        elman.runtime.RNN.load("a\0b", "tanh", False)
    with pytest.raises(InputError, match="none: expected a file or a model folder, got nothing of that name"):
        elman.load(tmp_path / "none")
    with pytest.raises(InputError, match="expected a model folder, got a folder without"):
        elman.load(tmp_path)
    (tmp_path / "text").write_text("not tensors")
    with pytest.raises(InputError, match="expected a safetensors file"):
        elman.load(tmp_path / "text")
