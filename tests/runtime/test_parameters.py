"""Sizes read off parameters, and parameters that are no network's."""

import numpy as np
import pytest

import elman
from elman import InputError
from tests.runtime.networks import network, normal, parameters

RNN = elman.runtime.RNN


@pytest.mark.parametrize("num_layers", [1, 2, 11])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_sizes_are_read_off_the_shapes(num_layers, bidirectional, bias):
    rnn = network(5, 7, num_layers, bidirectional=bidirectional, bias=bias)
    assert (rnn.input_size, rnn.hidden_size, rnn.num_layers) == (5, 7, num_layers)
    assert (rnn.bidirectional, rnn.bias) == (bidirectional, bias)


def test_the_order_of_the_names_does_not_matter():
    given = parameters(5, 7, 11, bidirectional=True)
    x = normal(3, 5)
    turned = RNN(dict(reversed(given.items())))
    assert (turned(x)[0] == RNN(given)(x)[0]).all()


def test_the_names_of_a_cell_are_taken():
    given = parameters()
    cell = {name.removesuffix("_l0"): array for name, array in given.items()}
    assert (RNN(cell)(normal(3, 4))[0] == RNN(given)(normal(3, 4))[0]).all()


def without(*names, **changes):
    given = parameters(4, 6, 2) | {name: np.zeros(shape, "f") for name, shape in changes.items()}
    return {name: array for name, array in given.items() if name not in names}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "parameters: expected a dict of arrays by name, got list"),
        ({}, "weight_ih_l0: expected this array among the parameters, got none"),
        ({1: np.zeros(3)}, "parameters: expected names as keys, got 1"),
        (without("weight_hh_l0"), "weight_hh_l0: expected this array among the parameters, got bias_hh_l0, "),
        (without("bias_hh_l1"), "bias_hh_l1: expected this array beside .*, it is missing"),
        (without("weight_ih_l1"), "l1: expected 1 layers .*, got this array besides"),
        (without("weight_ih_l1", "weight_hh_l1"), "bias_.h_l1: expected 1 layers"),
        (without(weight_hh_l0=(6, 5)), r"weight_hh_l0: expected the shape \(6, 6\), got \(6, 5\)$"),
        (without(weight_ih_l1=(6, 12)), r"weight_ih_l1: expected the shape \(6, 6\), got \(6, 12\)"),
        (without(bias_ih_l1=(5,)), r"bias_ih_l1: expected the shape \(6,\), got \(5,\)"),
        (without(bias_ih_l1=(6, 1)), r"bias_ih_l1: expected the shape \(6,\), got \(6, 1\)"),
        (without(weight_ih_l0=(6,)), r"weight_ih_l0: expected the shape \(hidden_size, input_size\), got \(6,\)"),
        (without(weight_ih_l0=(6, 0)), r"weight_ih_l0: expected one unit and one input or more"),
        (without(weight_ih_l0=(0, 4)), r"weight_ih_l0: expected one unit and one input or more"),
        (without(weight_hr_l0=(3, 6)), r"weight_hr_l0: expected the parameters of an RNN alone"),
        (without(weight_ih_l00=(6, 4)), r"weight_ih_l00: expected the parameters of an RNN alone"),
        (without(weight_ih_l7=(6, 4)), r"_l2: expected this array beside"),
        (without(weight_ih_l0_reverse=(6, 4)), r"weight_hh_l0_reverse: expected this array beside"),
        (
            {"weight_ih_l0": np.zeros((24, 4)), "weight_hh_l0": np.zeros((24, 6))},
            r"weight_hh_l0: expected the shape \(24, 24\), got \(24, 6\) \(these look like an LSTM's parameters\)",
        ),
        (
            {"weight_ih_l0": np.zeros((18, 4)), "weight_hh_l0": np.zeros((18, 6))},
            r"\(these look like a GRU's parameters\)",
        ),
    ],
)
def test_inconsistent_parameters_are_refused_by_name(given, message):
    with pytest.raises(InputError, match=message):
        RNN(given)


@pytest.mark.parametrize(
    ("dtype", "message"),
    [
        ("float16", "weight_hh_l0: expected float32 or float64, got float16"),
        ("int64", "weight_hh_l0: expected float32 or float64, got int64"),
        ("float64", "weight_hh_l0: expected float32, as weight_ih_l0 is, got float64"),
        ("complex64", "weight_hh_l0: expected real numbers, got ndarray of dtype complex64"),
    ],
)
def test_dtypes_are_one_and_known(dtype, message):
    given = parameters()
    given["weight_hh_l0"] = given["weight_hh_l0"].astype(dtype)
    with pytest.raises(InputError, match=message):
        RNN(given)


def test_other_layouts_are_copied_right():
    given = parameters()
    other = {name: np.asfortranarray(array).astype(">f4") for name, array in given.items()}
    assert (RNN(other)(normal(3, 4))[0] == RNN(given)(normal(3, 4))[0]).all()


@pytest.mark.parametrize("nonlinearity", ["sigmoid", None, 1, ["tanh"]])
def test_other_nonlinearities_are_refused(nonlinearity):
    with pytest.raises(InputError, match="nonlinearity: expected 'tanh' or 'relu', got"):
        RNN(parameters(), nonlinearity)


def test_batch_first_is_a_truth():
    with pytest.raises(InputError, match="batch_first: expected True or False, got 1"):
        RNN(parameters(), batch_first=1)
