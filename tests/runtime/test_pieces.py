"""Lengths, resets, learned initial states, a width for each layer and residual connections, in any combination."""

import copy
import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import elman
from elman import InputError
from elman.runtime import from_keras
from elman.runtime._network import Network
from tests.runtime.networks import CELLS, by_the_equations, network, normal, parameters


@st.composite
def networks(draw: st.DrawFn, *, bidirectional: bool | None = None) -> Network:
    widths = draw(st.lists(st.integers(1, 20), min_size=1, max_size=3) | st.just([6, 6, 9]) | st.just([9, 9]))
    return network(
        draw(st.integers(1, 9)),
        tuple(widths),
        cell=draw(st.sampled_from(CELLS)),
        batch_first=draw(st.booleans()),
        residual=draw(st.booleans()),
        bidirectional=draw(st.booleans()) if bidirectional is None else bidirectional,
        bias=draw(st.booleans()),
        learned=draw(st.booleans()),
        dtype=draw(st.sampled_from(["float32", "float64"])),
    )


def widths_of(rnn) -> tuple[int, ...]:
    return rnn.hidden_size if isinstance(rnn.hidden_size, tuple) else (rnn.hidden_size,) * rnn.num_layers


def vectors(rnn, states, row):
    """What a sequence of a batch has of states: h, and of an LSTM c, of each layer and direction."""
    each = states if rnn.family.name == "lstm" else (states,)
    layers = [state if isinstance(state, tuple) else (state,) for state in each]
    return [[vector for block in blocks for vector in block[:, row]] for blocks in layers]


def some_states(rnn, batch):
    """Initial states in the form that the network takes."""
    directions, widths = 1 + rnn.bidirectional, widths_of(rnn)
    states = []
    for seed, _ in enumerate(rnn.family.states):
        blocks = [
            normal(directions, batch, units, dtype=rnn.dtype, seed=seed + 2 * n) for n, units in enumerate(widths)
        ]
        states.append(np.concatenate(blocks) if len(set(widths)) == 1 else tuple(blocks))
    return tuple(states) if len(states) > 1 else states[0]


def own_start(rnn):
    """The states that a sequence of the network begins from."""
    suffixes = ["", "_reverse"][: 1 + rnn.bidirectional]
    return [
        [
            rnn.parameters.get(f"{letter}_0_l{layer}{suffix}", np.zeros(units, rnn.dtype))
            for layer, units in enumerate(widths_of(rnn))
            for suffix in suffixes
        ]
        for letter in rnn.family.states
    ]


def by_sequence(rnn, array):
    return array if rnn.batch_first else array.swapaxes(0, 1)


@settings(max_examples=100, deadline=None)
@given(networks(), st.integers(0, 8), st.integers(1, 4), st.booleans(), st.data())
def test_every_combination_follows_the_equations_piece_by_piece(rnn, steps, batch, given_state, data):
    x = normal(batch, steps, rnn.input_size, dtype=rnn.dtype)
    h_0 = some_states(rnn, batch) if given_state else None
    lengths = resets = None
    if steps == 0 or data.draw(st.booleans()):
        lengths = data.draw(st.lists(st.integers(0, steps), min_size=batch, max_size=batch))
    if not rnn.bidirectional and data.draw(st.booleans()):
        flags = st.lists(st.sampled_from([False, False, True]), min_size=steps, max_size=steps)
        resets = np.array(data.draw(st.lists(flags, min_size=batch, max_size=batch)), bool).reshape(batch, steps)
    given_x = x.copy()
    for row, length in enumerate(lengths or []):
        given_x[row, length:] = np.nan  # is not read
    output, h_n = rnn(
        given_x if rnn.batch_first else given_x.swapaxes(0, 1),
        h_0,
        lengths,
        resets=resets if resets is None or rnn.batch_first else resets.T,
    )
    assert output.dtype == rnn.dtype
    close = {"atol": 300 * np.finfo(rnn.dtype).eps, "rtol": 300 * np.finfo(rnn.dtype).eps}
    for row in range(batch):
        length = steps if lengths is None else lengths[row]
        flagged = [] if resets is None else [t for t in range(length) if resets[row, t]]
        cuts = sorted({0, *flagged, length})
        states = own_start(rnn) if h_0 is None else vectors(rnn, h_0, row)
        for begin, end in pairwise(cuts):
            if begin in flagged:
                states = own_start(rnn)
            expected, states = by_the_equations(rnn, x[row, begin:end], states)
            np.testing.assert_allclose(by_sequence(rnn, output)[row, begin:end], expected, **close)
        assert (by_sequence(rnn, output)[row, length:] == 0).all()
        for ours, theirs in zip(vectors(rnn, h_n, row), states, strict=True):
            for a, b in zip(ours, theirs, strict=True):
                np.testing.assert_allclose(a, b, **close)


@settings(max_examples=60, deadline=None)
@given(networks(bidirectional=False), st.integers(1, 8), st.integers(1, 4), st.booleans(), st.data())
def test_resets_have_the_bits_of_the_pieces_run_apart_and_of_steps(rnn, steps, batch, given_state, data):
    x = normal(steps, batch, rnn.input_size, dtype=rnn.dtype)
    flags = st.lists(st.booleans(), min_size=batch, max_size=batch)
    resets = np.array(data.draw(st.lists(flags, min_size=steps, max_size=steps)), bool)
    h_0 = some_states(rnn, batch) if given_state else None
    output, h_n = rnn(x.swapaxes(0, 1) if rnn.batch_first else x, h_0, resets=resets.T if rnn.batch_first else resets)
    output = output.swapaxes(0, 1) if rnn.batch_first else output
    for row in range(batch):
        cuts = sorted({0, *np.flatnonzero(resets[:, row]).tolist(), steps})
        for begin, end in pairwise(cuts):
            if h_0 is None or resets[begin, row]:
                alone, _ = rnn(x[begin:end, row])
                assert (alone == output[begin:end, row]).all()
    stream = rnn.stream(batch)
    if h_0 is not None:
        stream.state = h_0
    for x_t, flagged, expected in zip(x, resets, output, strict=True):
        assert (stream.step(x_t, reset=flagged) == expected).all()
    for row in range(batch):
        for ours, theirs in zip(vectors(rnn, stream.state, row), vectors(rnn, h_n, row), strict=True):
            assert all((a == b).all() for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("threads", [1, 3])
def test_lengths_and_resets_have_the_bits_of_the_sequences_alone_on_any_number_of_threads(cell, threads):
    rnn, x = network(30, (64, 64, 40), cell=cell, residual=True, learned=True), normal(40, 50, 30)
    draw = np.random.default_rng(0)
    lengths, resets = draw.integers(0, 41, 50), draw.random((40, 50)) < 0.1
    before = elman.get_num_threads()
    elman.set_num_threads(threads)
    output, _ = rnn(x, lengths=lengths, resets=resets)
    elman.set_num_threads(before)
    for row, length in enumerate(lengths.tolist()):
        stream = rnn.stream()
        for t in range(length):
            assert (stream.step(x[t, row], reset=resets[t, row]) == output[t, row]).all()


def test_one_sequence_without_a_batch_has_resets():
    rnn, x = network(4, (6, 8), cell="lstm", learned=True), normal(7, 4)
    flags = [False, False, True, False, True, False, False]
    output, (h_n, c_n) = rnn(x, resets=flags)
    assert [state.shape for state in (*h_n, *c_n)] == [(1, 6), (1, 8)] * 2
    batched, (h_b, _) = rnn(x[:, None], resets=np.array(flags)[:, None])
    assert (batched[:, 0] == output).all()
    assert (h_b[1][:, 0] == h_n[1]).all()
    again, _ = rnn(x[5:], (h_n, c_n))
    assert again.shape == (2, 8)


def test_a_mask_may_be_a_list_or_one_boolean_for_all():
    rnn, x = network(4, (6, 8), residual=True), normal(9, 3, 4)
    stream, twin = rnn.stream(3), rnn.stream(3)
    for x_t in x[:4]:
        stream.step(x_t), twin.step(x_t)
    fresh = rnn(x[4:])[0]
    assert (stream.step(x[4], reset=[True, True, True]) == fresh[0]).all()
    assert (twin.step(x[4].tolist(), reset=np.True_) == fresh[0]).all()
    assert (stream.step(x[5], reset=False) == fresh[1]).all()
    over = x[6].copy()
    strided = np.zeros(6, bool)[::2]
    assert (twin.step(x[5], reset=strided) == fresh[1]).all()
    out = np.empty((3, 8), "f")
    assert stream.step(over, out, np.zeros(3, bool)) is out
    assert (out == fresh[2]).all()
    single = rnn.stream()
    single.step(x[0, 0])
    assert (single.step(x[1, 0], reset=True) == rnn(x[1:2, 0])[0][0]).all()


@pytest.mark.parametrize(
    ("reset", "message"),
    [
        ([True], r"reset: expected the shape \(3,\), \(batch,\), got \(1,\)"),
        (np.zeros((3, 1), bool), r"reset: expected the shape \(3,\), \(batch,\), got \(3, 1\)"),
        ([0, 1, 1], "reset: expected booleans, got dtype int64"),
        (np.zeros(3, "f"), "reset: expected booleans, got dtype float32"),
        (1.0, "reset: expected booleans, got dtype float64"),
        ("yes", "reset: expected real numbers, got str"),
        (np.ma.masked_array(np.zeros(3, bool)), "reset: expected an array without a mask"),
    ],
)
def test_a_mask_that_is_none_is_refused_and_leaves_the_state(reset, message):
    stream = network().stream(3)
    stream.step(normal(3, 4))
    before = stream.state
    with pytest.raises(InputError, match=message):
        stream.step(normal(3, 4), reset=reset)
    assert (stream.state == before).all()


def test_a_wrong_input_with_a_right_mask_leaves_the_state():
    stream = network(learned=True).stream(3)
    stream.step(normal(3, 4))
    before = stream.state
    with pytest.raises(InputError, match="x_t: expected the shape"):
        stream.step(normal(3, 5), reset=[True] * 3)
    assert (stream.state == before).all()


@pytest.mark.parametrize(
    ("options", "resets", "message"),
    [
        ({}, np.zeros((3, 5), bool), r"resets: expected the shape \(5, 3\), that of x .*, got \(3, 5\)"),
        ({"batch_first": True}, np.zeros((3, 5), bool), r"resets: expected the shape \(5, 3\), .*, got \(3, 5\)"),
        ({}, np.zeros(5, bool), r"resets: expected the shape \(5, 3\), that of x without its features, got \(5,\)"),
        ({}, np.zeros((5, 3)), "resets: expected booleans, got dtype float64"),
        ({}, np.zeros((5, 3), int), "resets: expected booleans, got dtype int64"),
        ({}, True, r"resets: expected the shape \(5, 3\), .*, got \(\)"),
        ({}, "all", "resets: expected real numbers, got str"),
        ({"bidirectional": True}, np.zeros((5, 3), bool), "resets: expected None for a bidirectional network, which"),
    ],
)
def test_resets_that_are_none_are_refused(options, resets, message):
    with pytest.raises(InputError, match=message):
        network(**options)(np.zeros((5, 3, 4), "f"), resets=resets)


@pytest.mark.parametrize(
    ("h_0", "message"),
    [
        (np.zeros((2, 3, 6)), "h_0: expected a tuple of 2 arrays, one a layer, got ndarray"),
        ([np.zeros((1, 3, 6))], "h_0: expected a tuple of 2 arrays, one a layer, got a list of 1"),
        (
            (np.zeros((1, 3, 6)), np.zeros((1, 3, 6))),
            r"h_0\[1\]: expected the shape \(1, 3, 8\), that of h_n, got \(1, 3, 6\)",
        ),
        ((np.zeros((1, 3, 6)), None), r"h_0\[1\]: expected real numbers, got NoneType"),
    ],
)
def test_states_of_layers_that_differ_in_width_are_one_array_a_layer(h_0, message):
    rnn = network(4, (6, 8))
    with pytest.raises(InputError, match=message):
        rnn(np.zeros((5, 3, 4), "f"), h_0)
    with pytest.raises(InputError, match=message.replace("h_0", "state").replace("that of h_n", ".*")):
        rnn.stream(3).state = h_0
    lstm = network(4, (6, 8), cell="lstm")
    with pytest.raises(InputError, match=message.replace("h_0", "c_0")):
        lstm(np.zeros((5, 3, 4), "f"), ([np.zeros((1, 3, 6)), np.zeros((1, 3, 8))], h_0))


def test_no_steps_are_taken_where_lengths_or_resets_say_how_many():
    rnn, h_0 = network(learned=True), normal(1, 3, 6)
    nothing = np.zeros((0, 3, 4), "f")
    for more in ({"lengths": [0, 0, 0]}, {"resets": np.zeros((0, 3), bool)}):
        output, h_n = rnn(nothing, h_0, **more)
        assert output.shape == (0, 3, 6)
        assert (h_n == h_0).all()
        assert (rnn(nothing, **more)[1] == rnn.parameters["h_0_l0"]).all()
    assert rnn(np.zeros((0, 4), "f"), resets=np.zeros(0, bool))[0].shape == (0, 6)
    with pytest.raises(InputError, match="x: expected one step or more, got none"):
        rnn(nothing)
    assert rnn(np.zeros((5, 0, 4)), lengths=[], resets=np.zeros((5, 0), bool))[0].shape == (5, 0, 6)


def test_out_takes_what_lengths_and_resets_make_whatever_it_lies_over():
    rnn, x = network(6, (6, 6), learned=True, residual=True), normal(5, 3, 6)
    more = {"lengths": [5, 0, 3], "resets": np.arange(15).reshape(5, 3) % 4 == 1}
    expected, _ = rnn(x, **more)
    for out in (np.full_like(x, np.nan), x.copy(), np.full((5, 3, 12), np.nan, "f")[..., ::2]):
        read = out if (out == x).all() else x
        assert rnn(read, out=out, **more)[0] is out
        assert (out == expected).all()


def test_learned_initial_states_are_used_at_the_start_and_at_every_reset():
    rnn, x = network(4, 6, 2, cell="lstm", learned=True), normal(5, 3, 4)
    start = [np.stack([rnn.parameters[f"{letter}_0_l{layer}"] for layer in range(2)]) for letter in "hc"]
    spread = tuple(np.repeat(each[:, None], 3, 1) for each in start)
    expected, _ = rnn(x, spread)
    assert (rnn(x)[0] == expected).all()
    assert (rnn(x, tuple(np.zeros_like(each) for each in spread))[0] != expected).any()
    stream = rnn.stream(3)
    for begin in (lambda: None, stream.reset, lambda: stream.reset([0, -1, 1])):
        begin()
        assert all((ours == theirs).all() for ours, theirs in zip(stream.state, spread, strict=True))
        assert (stream.step(x[0]) == expected[0]).all()


def test_residual_adds_a_layer_s_input_from_the_second_layer_on():
    given = {f"{kind}_l{layer}": np.eye(2) for kind in ("weight_ih", "weight_hh") for layer in range(2)}
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    plain, residual = (elman.runtime.RNN(given, "relu", residual=residual) for residual in (False, True))
    # the first layer: 1 and 1 + 3, 2 and 2 + 4; the second adds up what it reads
    assert plain(x)[0].tolist() == [[1, 2], [5, 8]]
    assert residual(x)[0].tolist() == [[2, 4], [9, 14]]
    assert residual(x)[1].tolist() == [[4, 6], [5, 8]]  # the cells' own states
    with pytest.raises(InputError, match="residual: expected True or False, got 1"):
        elman.runtime.RNN(given, residual=1)


@pytest.mark.parametrize("cell", CELLS)
def test_it_is_described_copied_and_pickled(cell):
    rnn = network(4, (6, 8, 8), cell=cell, residual=True, learned=True)
    nonlinearity = "nonlinearity='relu', " if cell == "relu" else ""
    words = f"4, (6, 8, 8), num_layers=3, {nonlinearity}learn_initial_state=True, residual=True, float32"
    assert repr(rnn) == f"{rnn.family.title}({words})"
    x, stream = normal(5, 3, 4), rnn.stream(3)
    stream.step(x[0])
    for twin in (copy.copy(rnn), copy.deepcopy(rnn), pickle.loads(pickle.dumps(rnn))):
        assert repr(twin) == repr(rnn)
        assert (twin(x)[0] == rnn(x)[0]).all()
    expected = rnn(x)[0][1]
    for twin in (copy.copy(stream), stream.copy(), pickle.loads(pickle.dumps(stream))):
        assert (twin.step(x[1]) == expected).all()


def test_states_and_parameters_that_do_not_fit_one_another_are_refused():
    for change, message in (
        ({"h_0_l1": None}, "h_0_l1: expected this array beside"),
        ({"h_0_l0": np.zeros(5, "f")}, r"h_0_l0: expected the shape \(6,\), got \(5,\)"),
        ({"h_0_l2": np.zeros(8, "f")}, "h_0_l2: expected 2 layers"),
        ({"c_0_l0": np.zeros(6, "f")}, "c_0_l0: expected the parameters of an RNN alone"),
        ({"x_0_l0": np.zeros(6, "f")}, "x_0_l0: expected the parameters of an RNN alone"),
        ({"h_0_l0": np.zeros(6)}, "h_0_l0: expected float32, as .* is, got float64"),
        ({"weight_hh_l1": np.zeros((6, 6), "f")}, r"weight_hh_l1: expected the shape \(8, 8\), got \(6, 6\)"),
        ({"weight_ih_l1": np.zeros((8, 8), "f")}, r"weight_ih_l1: expected the shape \(8, 6\), got \(8, 8\)"),
        ({"weight_ih_l1": np.zeros((0, 6), "f")}, r"weight_ih_l1: expected the shape \(6, 6\), got \(0, 6\)"),
        ({"weight_ih_l1": np.zeros(8, "f")}, r"weight_ih_l1: expected the shape \(6, 6\), got \(8,\)"),
    ):
        given = parameters(4, (6, 8), learned=True) | change
        with pytest.raises(InputError, match=message):
            elman.runtime.RNN({name: array for name, array in given.items() if array is not None})
    of_lstm = parameters(4, 6, cell="lstm", learned=True)
    del of_lstm["c_0_l0"]
    with pytest.raises(InputError, match="c_0_l0: expected this array beside"):
        elman.runtime.LSTM(of_lstm)


def test_a_gru_of_keras_with_its_reset_first_takes_all_of_it():
    draw = np.random.default_rng(0).uniform
    layers = [[draw(-1, 1, shape) for shape in ((n, 3 * m), (m, 3 * m), (3 * m,))] for n, m in ((4, 6), (6, 6), (6, 5))]
    made = from_keras(layers, reset_after=False)
    start = {f"h_0_l{layer}": draw(-1, 1, units) for layer, units in enumerate((6, 6, 5))}
    gru = type(made)(made.parameters | start, residual=True)
    x, resets = normal(7, 3, 4), np.random.default_rng(0).random((7, 3)) < 0.4
    output, h_n = gru(x, resets=resets, lengths=[7, 3, 0])
    stream = gru.stream(3)
    for x_t, flagged, expected in zip(x, resets, output, strict=True):
        np.testing.assert_allclose(stream.step(x_t, reset=flagged)[0], expected[0], rtol=1e-12)
    assert all((a[:, 2] == start[f"h_0_l{layer}"]).all() for layer, a in enumerate(h_n))
    plain = made(x[:1, 0], tuple(start[f"h_0_l{layer}"][None] for layer in range(3)))
    added = gru(x[:1, 0])[1]
    np.testing.assert_allclose(added[0], plain[1][0])  # the second layer adds to what the third reads
    assert (np.abs(added[2] - plain[1][2]) > 1e-3).any()
