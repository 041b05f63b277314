"""What layers with widths, learned initial states and residual connections are made of, and what else meets them."""

import copy
import io
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.utils import parametrize

import elman.nn
from elman.cells import GRU, LSTM, Elman
from tests.nn.cases import CELLS, kind, states_of
from tests.nn.test_arguments import flat

each_cell = pytest.mark.parametrize("cell", CELLS)
ADDED: list[dict[str, Any]] = [
    {"hidden_size": [4, 6, 6]},
    {"hidden_size": 4, "num_layers": 2, "learn_initial_state": True, "bidirectional": True},
    {"hidden_size": (4, 4), "learn_initial_state": True, "residual": True, "bias": False},
]


def made(cell: str, **options: Any) -> torch.nn.Module:
    layer = kind(elman.nn, cell)(3, **options)
    for name, parameter in layer.named_parameters():
        if "_0_l" in name:
            torch.nn.init.normal_(parameter)
    return layer


def call(layer: torch.nn.Module) -> list[torch.Tensor]:
    return flat(layer(torch.ones(5, 2, 3), lengths=[5, 2], return_states=True))


@each_cell
def test_equal_seeds_draw_pytorchs_weights_and_initial_states_of_zeros_behind_them(cell: str) -> None:
    layers = []
    for nn, added in ((torch.nn, {}), (elman.nn, {"learn_initial_state": True}), (elman.nn, {"hidden_size": [4, 4]})):
        torch.manual_seed(3)
        layers.append(kind(nn, cell)(3, **{"hidden_size": 4, "num_layers": 2, "bidirectional": True} | added))
    theirs, ours, of_widths = layers
    names = [*theirs.state_dict()]
    states = [f"{s}_0_l{i}{d}" for i in (0, 1) for d in ("", "_reverse") for s in ("hc" if cell == "lstm" else "h")]
    assert [*ours.state_dict()] == names + states
    assert [*of_widths.state_dict()] == names
    for name in names:
        assert torch.equal(ours.state_dict()[name], theirs.state_dict()[name])
        assert torch.equal(of_widths.state_dict()[name], theirs.state_dict()[name])
    assert all(ours.get_parameter(name).shape == (4,) and not ours.get_parameter(name).any() for name in states)
    assert [[w.shape for w in ws] for ws in ours.all_weights] == [[w.shape for w in ws] for ws in theirs.all_weights]
    for layer in layers:
        torch.nn.init.normal_([*layer.parameters()][-1])
        torch.manual_seed(4)
        layer.reset_parameters()
        assert torch.equal(layer.weight_hh_l1_reverse, theirs.weight_hh_l1_reverse)
    assert not any(ours.get_parameter(name).any() for name in states)


def test_a_layer_of_widths_draws_within_the_bounds_of_each_layer() -> None:
    gru = elman.nn.GRU(3, [1, 100, 9], bidirectional=True)
    assert [weight.shape for weight in gru.all_weights[2]] == [(300, 2), (300, 100), (300,), (300,)]
    for index, width in enumerate((1, 100, 9)):
        largest = max(weight.abs().max().item() for weight in gru.all_weights[2 * index])
        assert 0.9 < largest * width**0.5 <= 1


def test_widths_may_be_integers_of_numpy_and_their_number_is_that_of_the_layers() -> None:
    for layer in (elman.nn.RNN(3, [*np.array([4, 5])], None), elman.nn.Recurrent(GRU(), 3, [*np.array([4, 5])])):
        assert (layer.hidden_size, layer.num_layers) == ((4, 5), 2)
        assert [type(width) for width in layer.hidden_size] == [int, int]


@pytest.mark.parametrize(
    ("args", "options", "words"),
    [
        ((3, []), {}, "hidden_size: expected an integer above 0, or one for each layer, got []"),
        ((3, [4, 0]), {}, "hidden_size: expected an integer above 0, or one for each layer, got [4, 0]"),
        ((3, [4, 2.0]), {}, "hidden_size: expected an integer above 0, or one for each layer, got [4, 2.0]"),
        ((3, [4, True]), {}, "hidden_size: expected an integer above 0, or one for each layer, got [4, True]"),
        ((3, [4, 5], 3), {}, "num_layers: expected 2, as many as hidden_size has widths, got 3"),
        (
            (3,),
            {"hidden_size": (4,), "num_layers": 2},
            "num_layers: expected 1, as many as hidden_size has widths, got 2",
        ),
    ],
)
def test_widths_that_cannot_be_are_refused_in_a_line(args: Any, options: Any, words: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        elman.nn.RNN(*args, **options)
    assert str(error.value) == words


@each_cell
def test_initial_states_lie_behind_all_weights_of_a_cell_of_ones_own_too(cell: str) -> None:
    added: dict[str, Any] = {"hidden_size": [4, 5], "bidirectional": True, "learn_initial_state": True}
    own = elman.nn.Recurrent({"gru": GRU, "lstm": LSTM}.get(cell, Elman)(), 3, **added)
    assert [*own.state_dict()] == [*kind(elman.nn, cell)(3, **added).state_dict()]


def test_what_is_added_is_a_boolean() -> None:
    for name in ("learn_initial_state", "residual"):
        with pytest.raises(TypeError, match=f"^{name} should be of type bool, got: int$"):
            elman.nn.RNN(3, 4, **{name: 1})


@pytest.mark.parametrize("added", ADDED)
@each_cell
def test_copies_of_every_kind_compute_the_same(cell: str, added: dict[str, Any], tmp_path: Path) -> None:
    layer = made(cell, **added)
    expected = call(layer)
    torch.save(layer, tmp_path / "layer.pt")
    fresh = kind(elman.nn, cell)(3, **added)
    fresh.load_state_dict(layer.state_dict())
    buffer = io.BytesIO()
    torch.save(layer.state_dict(), buffer)
    buffer.seek(0)
    from_meta = kind(elman.nn, cell)(3, **added, device="meta")
    assert {parameter.device.type for parameter in from_meta.parameters()} == {"meta"}
    assert [
        x.shape for x in flat(from_meta(torch.ones(5, 2, 3, device="meta"), lengths=[5, 2], return_states=True))
    ] == [x.shape for x in expected]
    from_meta.load_state_dict(torch.load(buffer, weights_only=True), assign=True)
    skipped = torch.nn.utils.skip_init(
        type(layer), 3, **added, **{"nonlinearity": cell} if cell in ("tanh", "relu") else {}
    )
    skipped.load_state_dict(layer.state_dict())
    double = copy.deepcopy(layer).double().float()
    others = {
        "pickle": pickle.loads(pickle.dumps(layer)),
        "deepcopy": copy.deepcopy(layer),
        "copy": copy.copy(layer),
        "torch.save": torch.load(tmp_path / "layer.pt", weights_only=False),
        "state_dict": fresh,
        "meta": from_meta,
        "skip_init": skipped,
        "double and back": double,
    }
    for how, other in others.items():
        assert repr(other) == repr(layer), how
        assert all(map(torch.equal, call(other), expected)), how


def test_repr_says_what_the_constructor_takes() -> None:
    assert repr(elman.nn.RNN(3, [4, 5], learn_initial_state=True, residual=True)) == (
        "RNN(3, (4, 5), num_layers=2, learn_initial_state=True, residual=True)"
    )
    assert repr(elman.nn.LSTM(3, 4, residual=True)) == "LSTM(3, 4, residual=True)"


@pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")
@pytest.mark.parametrize("added", ADDED)
def test_pytorchs_tools_leave_or_refuse_what_pytorch_has_no_layer_for(added: dict[str, Any]) -> None:
    model = torch.nn.Sequential(made("gru", **added))
    said = model[0]._additions
    with pytest.warns(UserWarning, match="left as they are: 0 .PyTorch's has no ") as caught:
        assert type(elman.nn.convert(model, back=True)[0]) is elman.nn.GRU
    assert said in str(caught[0].message)
    with pytest.raises(ValueError, match=r"^torch.jit.script: expected a layer as PyTorch has it, got .*$"):
        torch.jit.script(model)
    for installed in (False, True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of quantization: it will move
            if installed:
                elman.nn.install()
            try:
                quantized = torch.ao.quantization.quantize_dynamic(model)
            finally:
                elman.nn.uninstall()
        assert type(quantized[0]) is elman.nn.GRU
        assert all(map(torch.equal, call(quantized[0]), call(model[0])))
    model[0].flatten_parameters()


def test_a_learned_initial_state_learns_and_follows_its_dtype() -> None:
    rnn = elman.nn.RNN(3, 4, learn_initial_state=True, dtype=torch.float64)
    assert rnn.h_0_l0.dtype is torch.float64
    rnn(torch.randn(2, 5, 3, dtype=torch.float64))[0].sum().backward()
    assert rnn.h_0_l0.grad.abs().min() > 0
    rnn.zero_grad()
    rnn(torch.randn(2, 5, 3, dtype=torch.float64), torch.zeros(1, 5, 4, dtype=torch.float64))[0].sum().backward()
    assert rnn.h_0_l0.grad is None


@each_cell
def test_parametrized_and_replaced_weights_are_found(cell: str) -> None:
    class Half(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x / 2

    layer = made(cell, hidden_size=[4, 5], learn_initial_state=True)
    halved = copy.deepcopy(layer)
    with torch.no_grad():
        halved.weight_hh_l1 /= 2
        halved.h_0_l0 /= 2
    for name in ("weight_hh_l1", "h_0_l0"):
        parametrize.register_parametrization(layer, name, Half())
    assert all(map(torch.equal, call(layer), call(halved)))
    weights = {name: torch.zeros_like(parameter) for name, parameter in halved.named_parameters()}
    x = torch.ones(5, 2, 3)
    zeros = flat(torch.func.functional_call(halved, weights, (x,), {"lengths": [5, 2]}))
    assert not any(tensor.any() for tensor in zeros)


@pytest.mark.parametrize("unbatched", [False, True])
@each_cell
def test_a_cell_starts_flagged_rows_from_zeros(cell: str, unbatched: bool) -> None:
    layer = kind(elman.nn, cell, "Cell")(3, 4)
    x, states = torch.randn(3, 3), [torch.randn(3, 4) for _ in range(1 + (cell == "lstm"))]
    for state in states:
        state[1] = torch.nan
        state.requires_grad_()
    zeroed = [state.detach().clone() for state in states]
    for state in zeroed:
        state[1] = 0
    flags: Any = [False, True, False]
    if unbatched:
        x, flags = x[1], True
        given, expected = [state[1] for state in states], None
    else:
        given, expected = states, tuple(zeroed) if cell == "lstm" else zeroed[0]
    found = states_of(layer(x, tuple(given) if cell == "lstm" else given[0], reset=torch.tensor(flags)))
    assert all(map(torch.equal, found, states_of(layer(x, expected))))
    assert all(map(torch.equal, found, states_of(layer(x, tuple(given) if cell == "lstm" else given[0], reset=flags))))
    gradients = torch.autograd.grad([f.sum() for f in found], states, allow_unused=True)
    assert all(d is None or not d[1].any() for d in gradients)
    assert all(map(torch.equal, states_of(layer(x, reset=flags)), states_of(layer(x))))


@pytest.mark.parametrize(
    ("reset", "words"),
    [
        ([True], "reset: expected booleans (batch), (3,), got bool (1,)"),
        (torch.ones(3), "reset: expected booleans (batch), (3,), got float32 (3,)"),
        ([1, 0, 0], "reset: expected booleans (batch), (3,), got int64 (3,)"),
    ],
)
def test_a_cell_refuses_other_flags_in_a_line(reset: Any, words: str) -> None:
    for hx in (None, torch.zeros(3, 4)):
        with pytest.raises(ValueError) as error:  # noqa: PT011
            elman.nn.GRUCell(3, 4)(torch.zeros(3, 3), hx, reset=reset)
        assert str(error.value) == words
