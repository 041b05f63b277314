"""Sizes read off parameters, and parameters that are no network's."""

import numpy as np
import pytest

import elman
from elman import InputError
from tests.runtime.networks import CELLS, network, normal, parameters

RNN, GRU, LSTM = elman.runtime.RNN, elman.runtime.GRU, elman.runtime.LSTM


@pytest.mark.parametrize("num_layers", [1, 2, 11])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_sizes_are_read_off_the_shapes(num_layers, bidirectional, bias, cell):
    rnn = network(5, 7, num_layers, cell=cell, bidirectional=bidirectional, bias=bias)
    assert (rnn.input_size, rnn.hidden_size, rnn.num_layers) == (5, 7, num_layers)
    assert (rnn.bidirectional, rnn.bias) == (bidirectional, bias)


def test_the_order_of_the_names_does_not_matter():
    given = parameters(5, 7, 11, bidirectional=True)
    x = normal(3, 5)
    turned = RNN(dict(reversed(given.items())))
    assert (turned(x)[0] == RNN(given)(x)[0]).all()


@pytest.mark.parametrize(("kind", "cell"), [(RNN, "tanh"), (GRU, "gru"), (LSTM, "lstm")])
def test_the_names_of_a_cell_are_taken(kind, cell):
    given = parameters(cell=cell)
    without_number = {name.removesuffix("_l0"): array for name, array in given.items()}
    assert (kind(without_number)(normal(3, 4))[0] == kind(given)(normal(3, 4))[0]).all()


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
        (without(weight_hr_l0=(3, 6)), r"weight_hr_l0: expected an LSTM without a projection \(proj_size=0\), got"),
        (without(weight_ih_l00=(6, 4)), r"weight_ih_l00: expected the parameters of an RNN alone"),
        (without(weight_ih_l7=(6, 4)), r"_l2: expected this array beside"),
        (without(weight_ih_l0_reverse=(6, 4)), r"weight_hh_l0_reverse: expected this array beside"),
        (
            {"weight_ih_l0": np.zeros((24, 4)), "weight_hh_l0": np.zeros((24, 6))},
            r"weight_hh_l0: expected the shape \(24, 24\), got \(24, 6\) "
            r"\(these look like an LSTM's parameters, which elman\.runtime\.LSTM takes\)",
        ),
        (
            {"weight_ih_l0": np.zeros((18, 4)), "weight_hh_l0": np.zeros((18, 6))},
            r"\(these look like a GRU's parameters, which elman\.runtime\.GRU takes\)",
        ),
    ],
)
def test_inconsistent_parameters_are_refused_by_name(given, message):
    with pytest.raises(InputError, match=message):
        RNN(given)


@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        (GRU, {}, "weight_ih_l0: expected this array among the parameters, got none"),
        (GRU, parameters(cell="gru") | {"w": np.zeros(3, "f")}, "w: expected the parameters of a GRU alone"),
        (LSTM, parameters(cell="lstm") | {"w": np.zeros(3, "f")}, "w: expected the parameters of an LSTM alone"),
        (
            LSTM,
            {"weight_ih_l0": np.zeros((24, 4)), "weight_hh_l0": np.zeros((24, 3)), "weight_hr_l0": np.zeros((3, 6))},
            r"weight_hr_l0: expected an LSTM without a projection \(proj_size=0\), got this array",
        ),
        (
            GRU,
            {"weight_ih_l0": np.zeros((19, 4)), "weight_hh_l0": np.zeros((18, 6))},
            r"weight_ih_l0: expected the shape \(3 \* hidden_size, input_size\), got \(19, 4\)$",
        ),
        (
            LSTM,
            {"weight_ih_l0": np.zeros(24), "weight_hh_l0": np.zeros((24, 6))},
            r"weight_ih_l0: expected the shape \(4 \* hidden_size, input_size\), got \(24,\)$",
        ),
        (GRU, {"weight_ih_l0": np.zeros((0, 4)), "weight_hh_l0": np.zeros((0, 0))}, "expected one unit and one input"),
        (
            GRU,
            parameters(),
            r"weight_hh_l0: expected the shape \(6, 2\), got \(6, 6\) "
            r"\(these look like an RNN's parameters, which elman\.runtime\.RNN takes\)",
        ),
        (
            LSTM,
            parameters(),
            r"weight_ih_l0: expected the shape \(4 \* hidden_size, input_size\), got \(6, 4\) \(these",
        ),
        (GRU, parameters(cell="lstm"), r"expected the shape \(24, 8\), got \(24, 6\) \(these look like an LSTM's"),
        (LSTM, parameters(4, 8, cell="gru"), r"expected the shape \(24, 6\), got \(24, 8\) \(these look like a GRU's"),
        (LSTM, parameters(cell="lstm") | {"bias_hh_l0": np.zeros(6, "f")}, r"bias_hh_l0: expected the shape \(24,\)"),
    ],
)
def test_the_gates_of_another_family_are_refused_by_name(kind, given, message):
    with pytest.raises(InputError, match=message) as caught:
        kind(given)
    assert "\n" not in str(caught.value)


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


@pytest.mark.parametrize(("kind", "cell"), [(RNN, "tanh"), (GRU, "gru"), (LSTM, "lstm")])
def test_batch_first_is_a_truth(kind, cell):
    with pytest.raises(InputError, match="batch_first: expected True or False, got 1"):
        kind(parameters(cell=cell), batch_first=1)
