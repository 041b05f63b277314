"""Networks with weights packed once, and their streams, against the same layers one call each."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman import _engine
from tests.engine.cases import NONLINEARITY, Case, assert_same_bits, case, forward, ragged
from tests.engine.gated import CELLS, GatedCase, gated_case
from tests.engine.gated import run as run_gated

pytestmark = pytest.mark.usefixtures("level")
NETWORKS = {"float32": _engine.NetworkFloat32, "float64": _engine.NetworkFloat64}
STREAMS = {"float32": _engine.StreamFloat32, "float64": _engine.StreamFloat64}


def weights(this: Case | GatedCase) -> tuple[np.ndarray | None, ...]:
    return this.input_weights, this.recurrent_weights, this.input_bias, this.recurrent_bias


def network_of(cases: list[Case], directions: int = 1, *options):
    return NETWORKS[cases[0].dtype.name](list(map(weights, cases)), directions, NONLINEARITY[cases[0].relu], *options)


def refuse(stream, x, out):
    raise ValueError("not as they are")


def stream_of(network, this: Case):
    return STREAMS[this.dtype.name](network, this.batch, refuse)


def run(network, input, batch_sizes, h_0, width):
    """The output, of ``width`` features, and final states of a network."""
    output = np.full((*input.shape[:-1], width), np.nan, input.dtype)
    h_n = np.full_like(h_0, np.nan)
    network.run(input, batch_sizes, (h_0,), output, (h_n,))
    return {"output": output, "h_n": h_n}


def flat(states: list[np.ndarray]) -> np.ndarray:
    """The states of layers and directions behind one another."""
    return np.concatenate([state.ravel() for state in states])


def layer_by_layer(layers: list[list[Case]], residual=False):
    """The same by one call of the engine for each layer and direction."""
    input, final_states = layers[0][0].input, []
    for directions in layers:
        outputs = []
        for this in directions:
            output, final = forward(replace(this, input=input))
            outputs.append(output)
            final_states.append(final)
        read, input = input, np.concatenate(outputs, -1)
        if residual and directions is not layers[0] and read.shape == input.shape:
            input = input + read
    return {"output": input, "h_n": flat(final_states)}


@st.composite
def stacks(draw: st.DrawFn) -> list[list[Case]]:
    """Layers, each a list of its directions; what the later ones are given as input is not looked at."""
    directions, widths = draw(st.integers(1, 2)), draw(st.lists(st.integers(1, 40), min_size=1, max_size=4))
    if draw(st.booleans()):
        widths[1:] = widths[:1] * (len(widths) - 1)
    lengths = draw(st.lists(st.integers(1, 6), min_size=1, max_size=9))
    batch_sizes = ragged(lengths) if draw(st.booleans()) else None
    options = {
        "dtype": draw(st.sampled_from(["float32", "float64"])),
        "relu": draw(st.booleans()),
        "biases": draw(st.booleans()),
        "batch_sizes": batch_sizes,
    }
    input_size = draw(st.integers(1, 40))
    return [
        [
            case(
                directions * widths[layer - 1] if layer else input_size,
                hidden_size,
                lengths[0],
                len(lengths),
                reverse=direction == 1,
                seed=2 * layer + direction,
                **options,
            )
            for direction in range(directions)
        ]
        for layer, hidden_size in enumerate(widths)
    ]


@settings(max_examples=60)
@given(stacks(), st.booleans())
def test_a_network_is_its_layers(layers, residual):
    cases = [this for directions in layers for this in directions]
    network = network_of(cases, len(layers[0]), residual)
    first, h_0 = cases[0], flat([this.initial_state for this in cases])
    width = len(layers[-1]) * len(layers[-1][0].recurrent_weights)
    results = run(network, first.input, first.batch_sizes, h_0, width)
    assert_same_bits(results, layer_by_layer(layers, residual))


@settings(max_examples=30)
@given(stacks(), st.booleans())
def test_a_network_begins_from_its_own_start(layers, residual):
    cases = [this for directions in layers for this in directions]
    first, start = cases[0], [this.initial_state[:1] for this in cases]
    spread = flat([np.repeat(state, len(first.initial_state), 0) for state in start])
    width = len(layers[-1]) * len(layers[-1][0].recurrent_weights)
    expected = run(network_of(cases, len(layers[0]), residual), first.input, first.batch_sizes, spread, width)
    network = network_of(cases, len(layers[0]), residual, flat(start))
    output, h_n = np.full_like(expected["output"], np.nan), np.full_like(spread, np.nan)
    network.run(first.input, first.batch_sizes, None, output, (h_n,))
    assert_same_bits({"output": output, "h_n": h_n}, expected)


def gated_network_of(cases: list[GatedCase], directions: int = 1):
    return NETWORKS[cases[0].dtype.name](list(map(weights, cases)), directions, CELLS[cases[0].cell])


def gated_stack(cell, layers, directions, *sizes, **options) -> list[GatedCase]:
    """Layers, each a list of its directions; what the later ones are given as input is not looked at."""
    input_size, hidden_size, *rest = sizes
    return [
        [
            gated_case(
                cell,
                directions * hidden_size if layer else input_size,
                hidden_size,
                *rest,
                reverse=direction == 1,
                seed=2 * layer + direction,
                **options,
            )
            for direction in range(directions)
        ]
        for layer in range(layers)
    ]


def states_of(cases: list[GatedCase]) -> tuple[np.ndarray, ...]:
    """h_0, and of an LSTM c_0, of all layers; zeros where a case has none."""
    names = ("initial_state", "initial_cell_state")[: 1 + (cases[0].cell == "lstm")]
    shape = cases[0].batch, cases[0].hidden_size
    given = [[getattr(this, name) for this in cases] for name in names]
    return tuple(np.stack([np.zeros(shape, cases[0].dtype) if a is None else a for a in each]) for each in given)


def run_network(network, this: GatedCase, initial, directions: int):
    output = np.full((*this.input.shape[:-1], directions * this.hidden_size), np.nan, this.dtype)
    final = tuple(np.full_like(state, np.nan) for state in initial)
    network.run(this.input, this.batch_sizes, initial, output, final)
    return {"output": output, **dict(zip(("h_n", "c_n"), final, strict=False))}


@settings(max_examples=40)
@given(
    cell=st.sampled_from(list(CELLS)),
    layers=st.integers(1, 3),
    directions=st.integers(1, 2),
    sizes=st.tuples(st.integers(1, 20), st.integers(1, 40)),
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=9),
    packed=st.booleans(),
    dtype=st.sampled_from(["float32", "float64"]),
    given=st.booleans(),
)
def test_a_network_of_gates_is_its_layers(cell, layers, directions, sizes, lengths, packed, dtype, given):
    lengths = sorted(lengths, reverse=True)
    stack = gated_stack(
        cell,
        layers,
        directions,
        *sizes,
        lengths[0],
        len(lengths),
        dtype=dtype,
        lengths=lengths if packed else None,
        given=given,
    )
    cases = [this for of_layer in stack for this in of_layer]
    results = run_network(gated_network_of(cases, directions), cases[0], states_of(cases), directions)
    input, expected = cases[0].input, []
    for of_layer in stack:
        expected += [run_gated(replace(this, input=input), keep=False) for this in of_layer]
        input = np.concatenate([each["output"] for each in expected[-directions:]], -1)
    truth = {"output": input, "h_n": np.stack([each["final_state"] for each in expected])}
    if cell == "lstm":
        truth["c_n"] = np.stack([each["final_cell_state"] for each in expected])
    assert_same_bits(results, truth)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sizes", [(4, 6), (64, 64), (1, 1), (33, 70)])
@pytest.mark.parametrize(("layers", "batch"), [(1, 1), (3, 5), (1, 50)])
def test_a_stream_of_gates_is_the_whole_sequence(cell, dtype, sizes, layers, batch):
    cases = [this for [this] in gated_stack(cell, layers, 1, *sizes, 7, batch, dtype=dtype)]
    network, initial = gated_network_of(cases), states_of(cases)
    whole = run_network(network, cases[0], initial, 1)
    stream = stream_of(network, cases[0])
    stream.write_states(np.stack(initial))
    for x_t, expected in zip(cases[0].input, whole["output"], strict=True):
        assert_same_bits({"step": stream.step(x_t)}, {"step": expected})
    final = np.empty_like(np.stack(initial))
    stream.read_states(final)
    assert_same_bits(dict(zip(("h_n", "c_n"), final, strict=False)), {n: a for n, a in whole.items() if n != "output"})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sizes", [(4, 6), (64, 64), (1, 1), (33, 70), (7, 131)])
@pytest.mark.parametrize(("layers", "batch"), [(1, 1), (2, 1), (3, 5), (1, 50)])
def test_a_stream_is_the_whole_sequence(dtype, sizes, layers, batch):
    first = case(*sizes, 7, batch, dtype=dtype)
    cases = [first, *(case(sizes[1], sizes[1], 7, batch, dtype=dtype, seed=layer) for layer in range(1, layers))]
    network = network_of(cases)
    states = np.stack([this.initial_state for this in cases])
    whole = run(network, first.input, None, states, sizes[1])
    stream = stream_of(network, first)
    stream.write_states(states)
    out = np.full((batch, sizes[1]), np.nan, dtype)
    for t, (x_t, expected) in enumerate(zip(first.input, whole["output"], strict=True)):
        result = stream.step(x_t, out if t % 2 else None)
        assert (result is out) == (t % 2 == 1)
        assert_same_bits({"step": result}, {"step": expected})
    final = np.empty_like(states)
    stream.read_states(final)
    assert_same_bits({"h_n": final}, whole)


def test_an_output_may_lie_over_the_input():
    this = case(8, 8, 5, 3)
    network = network_of([this])
    apart, over = stream_of(network, this), stream_of(network, this)
    for x_t in this.input:
        expected, buffer = apart.step(x_t), x_t.copy()
        assert_same_bits({"step": over.step(buffer, buffer)}, {"step": expected})


def test_a_network_keeps_the_instruction_set_it_was_packed_for():
    this = case(19, 35, 6, 4)
    network, before = network_of([this]), _engine.instruction_set()
    expected = run(network, this.input, None, this.initial_state[None], 35)
    for name in _engine.instruction_sets():
        _engine.use_instruction_set(name)
        assert_same_bits(run(network, this.input, None, this.initial_state[None], 35), expected)
    _engine.use_instruction_set(before)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("sizes", "rows"), [((3, 5), 1), ((64, 7), 9), ((40, 130), 60)])
def test_a_layer_without_recurrence_is_linear(dtype, sizes, rows):
    this = case(*sizes, 1, rows, dtype=dtype)
    network = NETWORKS[dtype]([(this.input_weights, None, this.input_bias, None)], 1, _engine.Cell.identity)
    output = np.full((1, rows, sizes[1]), np.nan, dtype)
    network.run(this.input, None, None, output, None)
    exact = this.input.astype(float) @ this.input_weights.astype(float).T + this.input_bias
    assert np.abs(output - exact).max() < 20 * np.finfo(dtype).eps * np.abs(exact).max()
    alone = np.full((1, 1, sizes[1]), np.nan, dtype)
    network.run(this.input[:, -1:], None, None, alone, None)
    assert_same_bits({"output": alone}, {"output": output[:, -1:]})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input": np.zeros((7, 3, 5), "f")}, "input: expected input_size features"),
        ({"input": np.zeros((6, 3, 4), "f")}, "output: expected as many rows as the input has"),
        ({"input": np.zeros((7, 4), "f")}, "input: expected other dimensions"),
        ({"output": np.zeros((7, 3, 12), "f")[..., ::2]}, "output: expected other features"),
        ({"final": (np.zeros((1, 3, 5), "f"),)}, "final: expected other sizes"),
        ({"final": (np.zeros((1, 3, 6), "f"),) * 2}, "final: expected other sizes"),
        ({"initial": (np.zeros((1, 2, 6), "f"),)}, "initial: expected other sizes"),
        ({"initial": (np.zeros((1, 3, 12), "f")[..., ::2],)}, "initial: expected other sizes"),
        ({"initial": ()}, "initial: expected other sizes"),
        ({"batch_sizes": np.array([1, 3])}, "input: expected other dimensions"),
    ],
)
def test_sizes_that_do_not_fit_are_refused_before_the_engine_reads(change, message):
    network = network_of([case(4, 6, 7, 3)])
    arguments = {
        "input": np.zeros((7, 3, 4), "f"),
        "batch_sizes": None,
        "initial": None,
        "output": np.zeros((7, 3, 6), "f"),
        "final": None,
    }
    with pytest.raises(ValueError, match=message):
        network.run(**(arguments | change))


@pytest.mark.parametrize("batch_sizes", [[2, 3], [3, 0, 2], [3, -1, 3], [], [4]])
def test_batch_sizes_that_no_packing_makes_are_refused(batch_sizes):
    network = network_of([case(4, 6, 7, 3)])
    with pytest.raises(ValueError, match=r"batch_sizes|steps"):
        network.run(np.zeros((5, 4), "f"), np.array(batch_sizes, np.int64), None, np.zeros((5, 6), "f"), None)


@pytest.mark.parametrize("place", range(4))
def test_weights_of_another_dtype_are_refused_not_converted(place):
    # a converted copy would be gone before it is packed
    arrays = list(weights(case(4, 6, 1, 1)))
    arrays[place] = arrays[place].astype(np.float64)
    with pytest.raises((RuntimeError, TypeError)):
        NETWORKS["float32"]([tuple(arrays)], 1, _engine.Cell.tanh)


def test_sizes_that_would_wrap_around_are_refused():
    network, sizes = network_of([case(4, 6, 1, 1)]), np.array([2**62 + 1] * 4)
    with pytest.raises(ValueError, match="batch_sizes: expected a sum"):
        network.run(np.zeros((4, 4), "f"), sizes, None, np.zeros((4, 6), "f"), None)
    with pytest.raises(ValueError, match="batch_sizes: expected a sum of as many as there are rows"):
        _engine.pool(np.zeros((4, 2), "f"), sizes, np.zeros((4, 4), "f"))


def test_states_and_weights_of_too_few_gates_are_refused():
    arrays = weights(gated_case("lstm", 4, 6, 1, 1))
    network = NETWORKS["float32"]([arrays], 1, _engine.Cell.lstm)
    x, y, state = np.zeros((7, 3, 4), "f"), np.zeros((7, 3, 6), "f"), np.zeros((1, 3, 6), "f")
    for initial, final in (((state,), None), (None, (state,)), ((state, state[:, :2]), None)):
        with pytest.raises(ValueError, match="expected other sizes"):
            network.run(x, None, initial, y, final)
    with pytest.raises(ValueError, match="states: expected"):
        STREAMS["float32"](network, 3, refuse).write_states(state)
    for place, message in enumerate(("weight_ih: expected", "weight_hh: expected", "bias_ih", "bias_hh")):
        cut = [array[:-1] if i == place else array for i, array in enumerate(arrays)]
        with pytest.raises(ValueError, match=message):
            NETWORKS["float32"]([tuple(cut)], 1, _engine.Cell.lstm)


def test_networks_that_cannot_be_are_refused():
    a, b = case(4, 6, 1, 1), case(5, 6, 1, 1)
    with pytest.raises(ValueError, match=r"weights\[1\]: expected 6 units that read 6 features, got 6 that read 5"):
        network_of([a, b])
    for start in (np.zeros(5, "f"), np.zeros(12, "f")[::2]):
        with pytest.raises(ValueError, match="start: expected a state of every layer"):
            network_of([a], 1, False, start)
    with pytest.raises(ValueError, match="rows: expected contiguous booleans, one for each sequence"):
        stream_of(network_of([a]), a).reset(np.zeros(2, bool))
    with pytest.raises(ValueError, match="layers: expected one or more"):
        NETWORKS["float32"]([], 1, _engine.Cell.tanh)
    with pytest.raises(ValueError, match="a stream reads forwards"):
        stream_of(network_of([a, a], 2), a)
