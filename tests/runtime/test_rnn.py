"""The recurrent networks of the runtime over whole sequences."""

import builtins
import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import elman
from elman import InputError
from elman.runtime._network import Network
from tests.runtime.networks import CELLS, by_the_equations, each, network, normal, parameters
from tests.threads import run_in_threads

small = st.integers(1, 20)


@st.composite
def networks(draw: st.DrawFn) -> Network:
    return network(
        draw(small),
        draw(st.one_of(small, st.integers(1, 70))),
        draw(st.integers(1, 3)),
        cell=draw(st.sampled_from(CELLS)),
        batch_first=draw(st.booleans()),
        bidirectional=draw(st.booleans()),
        bias=draw(st.booleans()),
        dtype=draw(st.sampled_from(["float32", "float64"])),
    )


def inputs(rnn, steps, batch):
    """x and the initial states as the network takes them."""
    x = normal(batch, steps, rnn.input_size, dtype=rnn.dtype)
    shape = rnn.num_layers * (1 + rnn.bidirectional), batch, rnn.hidden_size
    states = tuple(normal(*shape, dtype=rnn.dtype, seed=seed) for seed, _ in enumerate(rnn.family.states))
    return x if rnn.batch_first else x.swapaxes(0, 1), states if len(states) > 1 else states[0]


def of_row(states, place):
    """The states of one sequence of a batch."""
    rows = tuple(state[:, place] for state in each(states))
    return rows if len(rows) > 1 else rows[0]


def assert_same_states(ours, theirs):
    for a, b in zip(each(ours), each(theirs), strict=True):
        assert (a == b).all()


def by_sequence(rnn, array):
    return array if rnn.batch_first else array.swapaxes(0, 1)


@settings(max_examples=60)
@given(networks(), st.integers(1, 9), st.integers(1, 5), st.booleans())
def test_the_equations_hold(rnn, steps, batch, given_state):
    x, h_0 = inputs(rnn, steps, batch)
    output, h_n = rnn(x, h_0 if given_state else None)
    assert {array.dtype for array in (output, *each(h_n))} == {rnn.dtype}
    for place in range(batch):
        start = each(of_row(h_0, place))
        expected, final = by_the_equations(
            rnn, by_sequence(rnn, x)[place], start if given_state else tuple(map(np.zeros_like, start))
        )
        close = {"atol": 200 * np.finfo(rnn.dtype).eps, "rtol": 200 * np.finfo(rnn.dtype).eps}
        np.testing.assert_allclose(by_sequence(rnn, output)[place], expected, **close)
        for ours, theirs in zip(each(of_row(h_n, place)), final, strict=True):
            np.testing.assert_allclose(ours, theirs, **close)


@settings(max_examples=60)
@given(networks(), st.integers(2, 9), st.integers(1, 5), st.data())
def test_the_bits_are_the_same_alone_in_chunks_ragged_and_into_an_array(rnn, steps, batch, data):
    x, h_0 = inputs(rnn, steps, batch)
    output, h_n = rnn(x, h_0)
    lengths = data.draw(st.lists(st.integers(0, steps), min_size=batch, max_size=batch))
    ragged, ragged_h_n = rnn(x, h_0, lengths)
    out = np.full((batch, steps + 2, output.shape[-1] + 3), np.nan, rnn.dtype)[:, 1:-1, :-3]
    out = out if rnn.batch_first else out.swapaxes(0, 1)
    assert rnn(x, h_0, out=out)[0] is out
    assert (out == output).all()
    for place, length in enumerate(lengths):
        alone = by_sequence(rnn, x)[place]
        expected, expected_h_n = rnn(alone, of_row(h_0, place))
        assert (by_sequence(rnn, output)[place] == expected).all()
        assert_same_states(of_row(h_n, place), expected_h_n)
        if length:
            expected, expected_h_n = rnn(alone[:length], of_row(h_0, place))
            assert (by_sequence(rnn, ragged)[place, :length] == expected).all()
        assert_same_states(of_row(ragged_h_n, place), expected_h_n if length else of_row(h_0, place))
        assert (by_sequence(rnn, ragged)[place, length:] == 0).all()
    if not rnn.bidirectional and rnn.num_layers == 1:
        cut = data.draw(st.integers(1, steps - 1))
        parts = (x[:, :cut], x[:, cut:]) if rnn.batch_first else (x[:cut], x[cut:])
        first, state = rnn(parts[0], h_0)
        second, state = rnn(parts[1], state)
        assert (np.concatenate([first, second], 1 if rnn.batch_first else 0) == output).all()
        assert_same_states(state, h_n)


@pytest.mark.parametrize("cell", ["tanh", "gru", "lstm"])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_any_number_of_threads(threads, cell):
    rnn, x = network(40, 64, 2, cell=cell, bidirectional=True), normal(30, 70, 40)
    before = elman.get_num_threads()
    elman.set_num_threads(1)
    expected = rnn(x)
    elman.set_num_threads(threads)
    assert elman.get_num_threads() == threads
    results = rnn(x)
    elman.set_num_threads(before)
    assert (results[0] == expected[0]).all()
    assert_same_states(results[1], expected[1])


class OnDevice:
    """An array that offers DLPack and nothing else."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


LAYOUTS = {
    "list": lambda x: x.tolist(),
    "float64": lambda x: x.astype(np.float64),
    "byte order": lambda x: x.astype(">f4"),
    "Fortran order": np.asfortranarray,
    "reversed twice": lambda x: np.ascontiguousarray(x[::-1, :, ::-1])[::-1, :, ::-1],
    "every other": lambda x: np.repeat(x, 2, 2)[..., ::2],
    "unaligned": lambda x: np.frombuffer(b"." + x.tobytes(), np.float32, offset=1).reshape(x.shape),
    "in a record": lambda x: np.array([(0, v) for v in x.ravel()], "i1,f4")["f1"].reshape(x.shape),
    "read-only": lambda x: np.lib.stride_tricks.as_strided(x.copy(), writeable=False),
    "matrix of NumPy": lambda x: x.view(np.recarray),
    "DLPack": OnDevice,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_inputs_are_converted_never_misread(layout):
    x, states = normal(5, 3, 4), (normal(1, 3, 6), normal(1, 3, 6, seed=1))
    rnn, lstm = network(), network(cell="lstm")
    expected, of_lstm = rnn(x, states[0]), lstm(x, states)
    strange = tuple(map(LAYOUTS[layout], states))
    x = LAYOUTS[layout](x)
    for results, truth in [
        (rnn(x, strange[0]), expected),
        (lstm(x, strange), of_lstm),
        (lstm(x, [strange[0], states[1]]), of_lstm),
    ]:
        assert (results[0] == truth[0]).all()
        assert_same_states(results[1], truth[1])


def test_integers_and_booleans_are_numbers():
    rnn = network()
    for x in (np.ones((5, 3, 4), bool), np.full((5, 3, 4), 1, np.uint8), [[[1] * 4] * 3] * 5):
        assert (rnn(x)[0] == rnn(np.ones((5, 3, 4), "f"))[0]).all()


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((5, 3, 4), complex), "x: expected real numbers, got ndarray of dtype complex128"),
        (np.full((5, 3, 4), "1"), "x: expected real numbers, got ndarray of dtype <U1"),
        (np.zeros((5, 3, 4), "M8[s]"), r"x: expected real numbers, got ndarray of dtype datetime64\[s\]"),
        (np.zeros((5, 3), "i4,f4"), "x: expected real numbers, got ndarray of dtype"),
        (np.ma.masked_array(np.zeros((5, 3, 4))), "x: expected an array without a mask"),
        (None, "x: expected real numbers, got NoneType of dtype object"),
        ([[1.0], [1.0, 2.0]], "x: expected an array of numbers on the CPU, got list"),
        ({"x": 1}, "x: expected real numbers, got dict of dtype object"),
        (np.zeros((5, 3, 5)), r"x: expected the shape \(steps\[, batch\], 4\), got \(5, 3, 5\)"),
        (np.zeros(4), r"x: expected the shape \(steps\[, batch\], 4\), got \(4,\)"),
        (np.zeros((1, 1, 1, 4)), r"x: expected the shape .*, got \(1, 1, 1, 4\)"),
        (np.zeros((0, 3, 4)), "x: expected one step or more, got none"),
        (OnDevice(None), "x: expected an array of numbers on the CPU, got tests.runtime.test_rnn.OnDevice"),
    ],
)
def test_what_is_no_input_is_refused(x, message):
    with pytest.raises(InputError, match=message):
        network()(x)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"h_0": np.zeros((1, 2, 6))}, r"h_0: expected the shape \(1, 3, 6\), that of h_n, got \(1, 2, 6\)"),
        ({"h_0": "state"}, "h_0: expected real numbers, got str"),
        ({"lengths": [5, 6, 1]}, r"lengths\[1\]: expected 0 to 5, the steps of x, got 6"),
        ({"lengths": [5, -1, 1]}, r"lengths\[1\]: expected 0 to 5, the steps of x, got -1"),
        ({"lengths": [5, 1]}, r"lengths: expected the shape \(3,\), one for each sequence, got \(2,\)"),
        ({"lengths": [5.0, 1.0, 1.0]}, "lengths: expected integers, got dtype float64"),
        ({"lengths": 5}, r"lengths: expected the shape \(3,\)"),
        ({"out": np.zeros((5, 3, 6))}, "out: expected dtype float32, got float64"),
        ({"out": np.zeros((5, 3, 6), ">f4")}, "out: expected dtype float32, got float32 in the other byte order"),
        ({"out": np.zeros((5, 3, 7), "f")}, r"out: expected the shape \(5, 3, 6\), got \(5, 3, 7\)"),
        ({"out": np.broadcast_to(np.zeros(6, "f"), (5, 3, 6))}, "out: expected an array that can be written"),
        ({"out": [0.0]}, "out: expected an array of NumPy, got list"),
    ],
)
def test_what_is_no_argument_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        network()(np.zeros((5, 3, 4), "f"), **arguments)


@pytest.mark.parametrize(
    ("h_0", "message"),
    [
        (np.zeros((1, 3, 6), "f"), r"h_0: expected the pair \(h_0, c_0\), got ndarray"),
        ((np.zeros((1, 3, 6), "f"),), r"h_0: expected the pair \(h_0, c_0\), got a tuple of 1"),
        ([np.zeros((1, 3, 6), "f")] * 3, r"h_0: expected the pair \(h_0, c_0\), got a list of 3"),
        ({"h": 1, "c": 2}, r"h_0: expected the pair \(h_0, c_0\), got dict"),
        ("hc", r"h_0: expected the pair \(h_0, c_0\), got str"),
        ((np.zeros((1, 3, 6), "f"), None), "c_0: expected real numbers, got NoneType"),
        ((None, np.zeros((1, 3, 6), "f")), "h_0: expected real numbers, got NoneType"),
        (
            (np.zeros((1, 3, 6), "f"), np.zeros((1, 2, 6), "f")),
            r"c_0: expected the shape \(1, 3, 6\), that of h_n, got \(1, 2, 6\)",
        ),
    ],
)
def test_an_lstm_takes_a_pair_of_states(h_0, message):
    with pytest.raises(InputError, match=message):
        network(cell="lstm")(np.zeros((5, 3, 4), "f"), h_0)


def test_a_gru_takes_no_pair_of_states():
    pair = (np.zeros((1, 3, 6), "f"),) * 2
    with pytest.raises(InputError, match=r"h_0: expected the shape \(1, 3, 6\), that of h_n, got \(2, 1, 3, 6\)"):
        network(cell="gru")(np.zeros((5, 3, 4), "f"), pair)


def test_one_sequence_without_a_batch_has_one_length():
    rnn, x = network(), normal(5, 4)
    output, h_n = rnn(x, lengths=3)
    expected, final = rnn(x[:3])
    assert (output[:3] == expected).all()
    assert (output[3:] == 0).all()
    assert (h_n == final).all()
    for lengths, message in (
        ([3], r"expected one integer for a sequence without a batch, got the shape \(1,\)"),
        (6, "0 to 5, the steps of x, got 6"),
        (3.0, "expected integers, got dtype float64"),
    ):
        with pytest.raises(InputError, match=f"lengths.*{message}"):
            rnn(x, lengths=lengths)


def test_out_may_be_the_states_that_are_read():
    lstm, x, states = network(6, 6, cell="lstm"), normal(1, 6, 6), (normal(1, 6, 6, seed=1), normal(1, 6, 6, seed=2))
    expected, final = lstm(x, states)
    for over in (0, 1):
        given = [state.copy() for state in states]
        output, h_n = lstm(x, tuple(given), out=given[over])
        assert output is given[over]
        assert (output == expected).all()
        assert_same_states(h_n, final)


@pytest.mark.parametrize("batch_first", [False, True])
def test_out_may_be_what_is_read(batch_first):
    rnn = network(6, 6, batch_first=batch_first)
    x, h_0 = normal(6, 6, 6), normal(1, 6, 6)
    expected, h_n = rnn(x, h_0)
    for out in (x.copy(), x.copy().swapaxes(0, 1), np.zeros((6, 6, 12), "f")[..., ::2]):
        given = out if out.shape == x.shape and out.strides[-1] == 4 else x
        given = given.copy() if given is x else given
        if given is out:
            out[...] = x
        assert (rnn(given, h_0, out=out)[0] == expected).all()
    state = np.zeros((1, 6, 6), "f")
    overlapping = state.reshape(1, 6, 6)
    overlapping[...] = h_0
    short = x[:, :1] if batch_first else x[:1]
    where = overlapping.swapaxes(0, 1) if batch_first else overlapping
    first, _ = rnn(short, h_0)
    assert (rnn(short, overlapping, out=where)[0] == first).all()
    assert h_n.shape == (1, 6, 6)


@pytest.mark.parametrize("cell", CELLS)
def test_no_sequences_give_no_outputs(cell):
    output, h_n = network(cell=cell, bidirectional=True)(np.zeros((5, 0, 4)))
    assert output.shape == (5, 0, 12)
    assert {state.shape for state in each(h_n)} == {(2, 0, 6)}
    for lengths in (np.zeros(0, int), []):
        assert network(cell=cell)(np.zeros((5, 0, 4)), lengths=lengths)[0].shape == (5, 0, 6)


def test_nan_and_infinity_pass_through():
    x = normal(5, 3, 4)
    x[2, 1, 0], x[1, 2, 0] = np.nan, np.inf
    output, _ = network()(x)
    assert np.isnan(output[2:, 1]).all()
    assert np.isfinite(output[:, 0]).all()
    assert (np.abs(output[1, 2]) == 1).all()


@pytest.mark.parametrize(("cell", "title"), [("relu", "RNN"), ("gru", "GRU"), ("lstm", "LSTM")])
def test_it_is_copied_pickled_and_described(cell, title):
    rnn = network(5, 7, 2, bidirectional=True, cell=cell, batch_first=True, bias=False, dtype="float64")
    nonlinearity = "nonlinearity='relu', " if cell == "relu" else ""
    assert repr(rnn) == (
        f"{title}(5, 7, num_layers=2, {nonlinearity}bias=False, batch_first=True, bidirectional=True, float64)"
    )
    assert repr(network(cell=cell, dtype="float64", bias=False)).startswith(f"{title}(4, 6, ")
    x = normal(3, 4, 5)
    for twin in (copy.copy(rnn), copy.deepcopy(rnn), pickle.loads(pickle.dumps(rnn))):
        assert repr(twin) == repr(rnn)
        assert (twin(x)[0] == rnn(x)[0]).all()


def test_parameters_are_copied_and_cannot_be_written():
    given = parameters()
    rnn, x = elman.runtime.RNN(given), normal(5, 4)
    expected = rnn(x)[0]
    given["weight_ih_l0"][...] = 0
    assert (rnn(x)[0] == expected).all()
    with pytest.raises(ValueError, match="read-only"):
        rnn.parameters["weight_ih_l0"][...] = 0


@pytest.mark.parametrize("cell", ["tanh", "gru", "lstm"])
def test_threads_may_share_a_network(cell):
    rnn, x = network(16, 64, cell=cell), normal(50, 60, 16)
    expected = rnn(x)[0]

    def work(_):
        assert all((rnn(x)[0] == expected).all() for _ in range(3))

    run_in_threads(8, work)


def test_counts_of_threads():
    for count in (0, -1, 1.5, True, "2", 5000):
        with pytest.raises(InputError, match="count: expected an integer from 1 to 4096, got"):
            elman.set_num_threads(count)


def test_nothing_is_imported_by_a_call(monkeypatch):
    """Under a tracer written in Python an import gives up the GIL: in the middle of a first call it once hung."""
    rnn, x, imported = network(2, 3), normal(4, 2, 2), []
    real = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", lambda *args: (imported.append(args[0]), real(*args))[1])
    rnn(x), rnn(x[:, 0]), rnn.stream(2).step(x[0])
    monkeypatch.undo()
    assert "numpy" not in imported


@pytest.mark.parametrize("kind", [elman.runtime.RNN, elman.runtime.GRU, elman.runtime.LSTM])
def test_an_argument_too_many_is_refused_under_the_name_that_was_called(kind):
    for called, name in ((kind, "__init__"), (kind.load, "load")):
        with pytest.raises(TypeError, match=rf"^{kind.__name__}\.{name}\(\) got an unexpected keyword argument 'cell'"):
            called({}, cell="gru")


def test_a_class_of_ones_own_keeps_its_constructor():
    class Named(elman.runtime.GRU):
        def __init__(self, name):
            super().__init__(parameters(cell="gru"))
            self.name = name

    class Deeper(Named):
        pass

    assert Deeper("mine").name == "mine"
