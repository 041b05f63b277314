"""Networks of PyTorch on the runtime."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import elman
from elman import InputError
from elman.runtime._converting import as_network
from tests.runtime.networks import each

torch = pytest.importorskip("torch")

from torch.nn.utils import parametrizations, prune  # noqa: E402
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence  # noqa: E402

from elman.nn import RNN, RNNCell  # noqa: E402

KINDS = {
    "tanh": RNN,
    "relu": partial(RNN, nonlinearity="relu"),
    "gru": elman.nn.GRU,
    "lstm": elman.nn.LSTM,
}


@settings(max_examples=60)
@given(
    cell=st.sampled_from(list(KINDS)),
    sizes=st.tuples(st.integers(1, 20), st.integers(1, 40), st.integers(1, 3)),
    options=st.fixed_dictionaries(
        {
            "bias": st.booleans(),
            "batch_first": st.booleans(),
            "bidirectional": st.booleans(),
            "dtype": st.sampled_from([torch.float32, torch.float64]),
        }
    ),
    lengths=st.lists(st.integers(1, 7), min_size=1, max_size=5),
)
def test_the_runtime_has_the_bits_of_the_layer(cell, sizes, options, lengths):
    layer = KINDS[cell](*sizes, **options).eval()
    rnn = as_network(layer)
    assert rnn.cell == cell
    shape = (len(lengths), 7) if options["batch_first"] else (7, len(lengths))
    x = torch.randn(*shape, sizes[0], dtype=options["dtype"])
    states = tuple(
        torch.randn(sizes[2] * (1 + options["bidirectional"]), len(lengths), sizes[1], dtype=options["dtype"])
        for _ in rnn.family.states
    )
    h_0 = states if len(states) > 1 else states[0]
    with torch.no_grad():
        expected = layer(x, h_0)
        packed, h_n = layer(pack_padded_sequence(x, lengths, options["batch_first"], enforce_sorted=False), h_0)
        ragged = pad_packed_sequence(packed, options["batch_first"], total_length=7)[0], h_n
    for (output, h_n), (truth, final) in ((rnn(x, h_0), expected), (rnn(x, h_0, lengths), ragged)):
        assert all((a == b.numpy()).all() for a, b in zip((output, *each(h_n)), (truth, *each(final)), strict=True))


def leaves(states):
    """All arrays that states are made of, as NumPy has them."""
    if isinstance(states, tuple):
        return [array for state in states for array in leaves(state)]
    return [np.asarray(states)]


@settings(max_examples=60, deadline=None)
@given(
    cell=st.sampled_from(list(KINDS)),
    widths=st.lists(st.integers(1, 20), min_size=2, max_size=3) | st.sampled_from([[6, 6, 9], [9, 9], [33, 33, 33]]),
    options=st.fixed_dictionaries(
        {
            **{name: st.booleans() for name in ("bias", "batch_first", "residual", "learn_initial_state")},
            "dtype": st.sampled_from([torch.float32, torch.float64]),
        }
    ),
    bidirectional=st.booleans(),
    lengths=st.lists(st.integers(0, 6), min_size=1, max_size=5),
    given_states=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_the_runtime_has_the_bits_of_all_that_a_layer_takes(
    cell, widths, options, bidirectional, lengths, given_states, seed
):
    torch.manual_seed(seed)
    sizes = (5, widths) if len(set(widths)) > 1 else (5, widths[0], len(widths))
    layer = KINDS[cell](*sizes, **options, bidirectional=bidirectional).eval()
    for name, parameter in layer.named_parameters():
        if "_0_l" in name:
            torch.nn.init.normal_(parameter)
    nonlinearity = {"nonlinearity": cell} if cell in ("tanh", "relu") else {}
    kind = getattr(elman.runtime, layer.mode.partition("_")[0])
    by_name = kind(layer.state_dict(), batch_first=options["batch_first"], residual=options["residual"], **nonlinearity)
    batch = len(lengths)
    x = torch.randn(6, batch, 5, dtype=options["dtype"])
    resets = None if bidirectional else torch.rand(6, batch) < 0.3
    hx = None
    if given_states:
        of_layers = [
            tuple(torch.randn(1 + bidirectional, batch, units, dtype=options["dtype"]) for units in widths)
            for _ in kind.family.states
        ]
        states = tuple(each if len(set(widths)) > 1 else torch.cat(each) for each in of_layers)
        hx = states if len(states) > 1 else states[0]
    if options["batch_first"]:
        x, resets = x.swapaxes(0, 1), None if resets is None else resets.T
    for rnn in (by_name, as_network(layer)):
        assert repr(rnn) == repr(by_name)
        for more in ({}, {"lengths": lengths}, {"resets": resets}, {"lengths": lengths, "resets": resets}):
            with torch.no_grad():
                expected = layer(x, hx, **more)
            for ours, theirs in zip(leaves(rnn(x, hx, **more)), leaves(expected), strict=True):
                assert (ours == theirs).all()


@pytest.mark.parametrize("kind", [RNN, elman.nn.GRU, elman.nn.LSTM])
def test_layers_are_saved_with_all_that_they_have(tmp_path, kind):
    layer = kind(5, [6, 6, 8], learn_initial_state=True, residual=True)
    for name, parameter in layer.named_parameters():
        if "_0_l" in name:
            torch.nn.init.normal_(parameter)
    prune.l1_unstructured(layer, "h_0_l1", 0.5)
    elman.save(layer, tmp_path / "layer")
    rnn, x = elman.load(tmp_path / "layer"), torch.randn(7, 3, 5)
    assert (rnn.parameters["h_0_l1"] == 0).sum() == 3
    with torch.no_grad():
        expected, _ = layer(x)
    assert (rnn(x)[0] == expected.numpy()).all()
    by_name = {name: getattr(layer, name) for name in rnn.parameters}
    elman.save(by_name, tmp_path / "dict", residual=True)
    assert (tmp_path / "dict").read_bytes() == (tmp_path / "layer").read_bytes()
    with pytest.raises(InputError, match="residual: expected None or the network's own, True, got False"):
        elman.save(layer, tmp_path / "other", residual=False)


@pytest.mark.parametrize(
    "kind", [partial(RNNCell, nonlinearity="relu"), elman.nn.GRUCell, elman.nn.LSTMCell], ids=["relu", "gru", "lstm"]
)
def test_a_loop_of_cells_has_the_bits_of_a_stream(kind):
    cell, x = kind(5, 7), torch.randn(6, 3, 5)
    stream, state = as_network(cell).stream(3), None
    with torch.no_grad():
        for x_t in x:
            state = cell(x_t, state)
            assert (stream.step(x_t) == each(state)[0].numpy()).all()
    for ours, theirs in zip(each(stream.state), each(state), strict=True):
        assert (ours[0] == theirs.numpy()).all()


@pytest.mark.parametrize("kind", [torch.nn.RNN, RNN])
def test_modules_and_state_dicts_are_saved(tmp_path, kind):
    layer = kind(4, 6, 2, nonlinearity="relu", batch_first=True)
    elman.save(layer, tmp_path / "module")
    elman.save(layer.state_dict(), tmp_path / "dict", nonlinearity="relu", batch_first=True)
    assert (tmp_path / "module").read_bytes() == (tmp_path / "dict").read_bytes()
    assert repr(elman.load(tmp_path / "module")) == (
        "RNN(4, 6, num_layers=2, nonlinearity='relu', batch_first=True, float32)"
    )


def test_a_weight_is_what_it_comes_to():
    layer = RNN(4, 6)
    prune.l1_unstructured(layer, "weight_hh_l0", 0.5)
    assert (as_network(layer).parameters["weight_hh_l0"] == layer.weight_hh_l0.detach().numpy()).all()
    cell = parametrizations.weight_norm(RNNCell(4, 6), "weight_hh")
    assert (as_network(cell).parameters["weight_hh_l0"] == cell.weight_hh.detach().numpy()).all()


class NoFamily(torch.nn.Module):
    """A module with an RNN's parameters that does not say what it makes of their sums."""

    def __init__(self):
        super().__init__()
        self.weight_ih, self.weight_hh = torch.zeros(4, 3), torch.zeros(4, 4)


@pytest.mark.parametrize("module", [torch.nn.Linear(3, 4), RNN, torch.nn.LSTM, NoFamily(), torch.nn.Upsample(2)])
def test_other_modules_are_refused(tmp_path, module):
    with pytest.raises(
        InputError, match=r"network: expected an RNN, GRU or LSTM, a cell of these or parameters .*, got"
    ):
        elman.save(module, tmp_path / "rnn")


def test_an_lstm_with_a_projection_is_refused():
    for network in (torch.nn.LSTM(3, 4, proj_size=2), torch.nn.LSTM(3, 4, proj_size=2).state_dict()):
        with pytest.raises(
            InputError, match=r"weight_hr_l0: expected an LSTM without a projection \(proj_size=0\), got"
        ):
            as_network(network)


@settings(max_examples=20)
@given(
    kind=st.sampled_from([torch.nn.GRU, torch.nn.LSTM]),
    sizes=st.tuples(st.integers(1, 20), st.integers(1, 40), st.integers(1, 3)),
    options=st.fixed_dictionaries({name: st.booleans() for name in ("bias", "batch_first", "bidirectional")}),
    lengths=st.lists(st.integers(1, 7), min_size=1, max_size=5),
)
def test_gated_layers_of_pytorch_are_run_to_its_numbers(kind, sizes, options, lengths):
    layer = kind(*sizes, **options, dtype=torch.float64).eval()
    rnn = as_network(layer)
    leading = (len(lengths), 7) if options["batch_first"] else (7, len(lengths))
    x = torch.randn(*leading, sizes[0], dtype=torch.float64)
    shape = (sizes[2] * (1 + options["bidirectional"]), len(lengths), sizes[1])
    states = tuple(torch.randn(shape, dtype=torch.float64) for _ in rnn.family.states)
    states = states if len(states) > 1 else states[0]
    with torch.no_grad():
        expected = layer(x, states)
        packed, final = layer(pack_padded_sequence(x, lengths, options["batch_first"], enforce_sorted=False), states)
        ragged = pad_packed_sequence(packed, options["batch_first"], total_length=7)[0], final
    for (output, h_n), (truth, final) in ((rnn(x, states), expected), (rnn(x, states, lengths), ragged)):
        for ours, theirs in zip((output, *each(h_n)), (truth, *each(final)), strict=True):
            np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("kind", [torch.nn.GRUCell, torch.nn.LSTMCell])
def test_gated_cells_of_pytorch_are_streams(kind):
    cell, x, state = kind(5, 7), torch.randn(6, 3, 5), None
    stream = as_network(cell).stream(3)
    with torch.no_grad():
        for x_t in x:
            state = cell(x_t, state)
            np.testing.assert_allclose(stream.step(x_t), each(state)[0].numpy(), rtol=1e-5, atol=1e-6)


def test_tensors_that_cannot_be_read_are_refused():
    rnn = as_network(RNN(4, 6))
    for x, message in [
        (torch.zeros(5, 4, requires_grad=True), "requires grad"),
        (torch.zeros(5, 4, device="meta"), "meta"),
        (torch.zeros(5, 4, dtype=torch.bfloat16), "BFloat16"),
        (torch.zeros(5, 4).to_sparse(), "Sparse"),
    ]:
        with pytest.raises(
            InputError, match=rf"x: expected an array of numbers on the CPU, got torch\.Tensor .*{message}"
        ):
            rnn(x)
    with pytest.raises(InputError, match=r"weight_ih_l0: expected an array of numbers on the CPU, got torch\.Tensor"):
        elman.runtime.RNN(RNN(4, 6, device="meta").state_dict())
