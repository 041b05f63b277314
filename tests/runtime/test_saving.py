"""Networks to files and back."""

import os

import numpy as np
import pytest
import safetensors.numpy

import elman
from elman import InputError
from tests.runtime.networks import network, normal, parameters

OPTIONS = [
    {},
    {"nonlinearity": "relu", "batch_first": True},
    {"num_layers": 3, "bidirectional": True, "dtype": "float64", "bias": False},
]


def made(options):
    sizes = (4, 6, options.get("num_layers", 1))
    return network(*sizes, **{name: value for name, value in options.items() if name != "num_layers"})


@pytest.mark.parametrize("options", OPTIONS)
def test_what_is_saved_is_loaded_to_the_bit(tmp_path, options):
    rnn, path, x = made(options), tmp_path / "rnn.safetensors", normal(5, 3, 4)
    elman.save(rnn, path)
    for loaded in (elman.load(path), elman.load(str(path)), elman.runtime.RNN.load(path)):
        assert repr(loaded) == repr(rnn)
        assert (loaded(x)[0] == rnn(x)[0]).all()
    rnn.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


def test_parameters_by_name_are_saved_with_what_they_do_not_say(tmp_path):
    elman.save(parameters(), tmp_path / "rnn", nonlinearity="relu", batch_first=True)
    assert repr(elman.load(tmp_path / "rnn")) == "RNN(4, 6, nonlinearity='relu', batch_first=True, float32)"
    with pytest.raises(InputError, match="nonlinearity: expected None or the network's own, 'tanh', got 'relu'"):
        elman.save(network(), tmp_path / "other", nonlinearity="relu")
    with pytest.raises(InputError, match=r"network: expected an RNN, an RNNCell or .*, got builtins\.int"):
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
    assert (rnn(normal(5, 4))[0] == network(nonlinearity="relu")(normal(5, 4))[0]).all()
    elman.save(rnn, tmp_path / "ours")
    assert elman.runtime.RNN.load(tmp_path / "ours", "relu").nonlinearity == "relu"
    with pytest.raises(InputError, match="expected nonlinearity to be None or the file's, 'relu', got 'tanh'"):
        elman.runtime.RNN.load(tmp_path / "ours", "tanh")


GOOD = {"format": "elman rnn", "version": "1", "nonlinearity": "tanh", "batch_first": "false"}


@pytest.mark.parametrize(
    ("tensors", "metadata", "message"),
    [
        ({}, {"version": "2"}, "expected __metadata__.version to be '1', got '2'"),
        ({}, {"format": "elman gru"}, "expected __metadata__.format to be 'elman rnn', got 'elman gru'"),
        ({}, {"nonlinearity": "sigmoid"}, "expected __metadata__.nonlinearity to be 'tanh' or 'relu', got 'sigmoid'"),
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
