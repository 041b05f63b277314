"""``elman.nn.init``: what the weights and biases are afterwards, of every kind of recurrent module."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.utils import parametrizations, prune

import elman.nn
from elman.cells import CoupledLSTM, IndRNN, MinimalGatedUnit, PeepholeLSTM, RateLeaky
from elman.nn import init

MODULES: dict[str, Callable[[], torch.nn.Module]] = {
    "RNN": lambda: elman.nn.RNN(3, 6, 2),
    "GRU": lambda: elman.nn.GRU(3, 6, bidirectional=True),
    "LSTM": lambda: elman.nn.LSTM(3, [6, 6]),
    "torch's RNN": lambda: torch.nn.RNN(3, 6, 2),
    "torch's GRU": lambda: torch.nn.GRU(3, 6),
    "torch's LSTM": lambda: torch.nn.LSTM(3, 6, dtype=torch.float64),
    "RNNCell": lambda: elman.nn.RNNCell(3, 6),
    "GRUCell": lambda: elman.nn.GRUCell(3, 6),
    "torch's LSTMCell": lambda: torch.nn.LSTMCell(3, 6),
    "leaky": lambda: elman.nn.Recurrent(RateLeaky(), 3, 6, 2),
    "peephole": lambda: elman.nn.Recurrent(PeepholeLSTM(), 3, 6, bidirectional=True),
    "inside a model": lambda: torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.LSTM(3, 6)),
    "in half precision": lambda: elman.nn.GRU(3, 6, dtype=torch.bfloat16),
}
modules = pytest.mark.parametrize("make", MODULES.values(), ids=MODULES)


def recurrent_blocks(module: torch.nn.Module) -> list[Tensor]:
    """Each gate's square of the recurrent weights."""
    weights = [p.detach().double() for name, p in module.named_parameters() if "weight_hh" in name]
    return [block for weight in weights for block in weight.split(weight.shape[1])]


def radius_of(block: Tensor) -> float:
    return float(torch.linalg.eigvals(block).abs().max())


def biases_of(module: Any, suffix: str = "_l0") -> Tensor:
    return (getattr(module, f"bias_ih{suffix}") + getattr(module, f"bias_hh{suffix}")).detach()


@modules
def test_every_gate_has_the_spectral_radius_that_was_asked_for(make: Callable[[], torch.nn.Module]) -> None:
    module = make()
    others = {name: p.clone() for name, p in module.named_parameters() if "weight_hh" not in name}
    assert init.spectral_radius_(module, 0.9) is module
    blocks, tolerance = recurrent_blocks(module), 2e-2 if "bfloat16" in repr(next(module.parameters())) else 1e-5
    assert [radius_of(block) for block in blocks] == pytest.approx([0.9] * len(blocks), abs=tolerance)
    assert all(torch.equal(p, others[name]) for name, p in module.named_parameters() if name in others)


@modules
def test_every_gate_becomes_orthogonal(make: Callable[[], torch.nn.Module]) -> None:
    module = init.orthogonal_(make(), gain=0.5)
    for block in recurrent_blocks(module):
        tolerance = 1e-2 if "bfloat16" in repr(next(module.parameters())) else 1e-6
        torch.testing.assert_close(block @ block.T, 0.25 * torch.eye(6).double(), atol=tolerance, rtol=0)


@modules
def test_every_gate_becomes_the_identity(make: Callable[[], torch.nn.Module]) -> None:
    for block in recurrent_blocks(init.identity_(make(), 0.5)):
        assert torch.equal(block, 0.5 * torch.eye(6).double())


def test_scaling_keeps_which_weights_are_zero_and_their_proportions() -> None:
    weight = torch.nn.init.sparse_(torch.empty(80, 80), 0.9, std=1.0)
    scaled = init.spectral_radius_(weight.clone(), 1.25)
    assert radius_of(scaled.double()) == pytest.approx(1.25, abs=1e-5)
    there = weight != 0
    assert torch.equal(there, scaled != 0)
    torch.testing.assert_close(scaled[there] / weight[there], (scaled[there] / weight[there])[:1].expand(there.sum()))
    assert not init.spectral_radius_(weight, 0).any()


def test_one_matrix_is_drawn_as_torch_draws_it_and_each_gate_in_turn() -> None:
    ours = init.orthogonal_(torch.empty(5, 5), 2.0, torch.Generator().manual_seed(3))
    theirs = torch.nn.init.orthogonal_(torch.empty(5, 5), 2.0, torch.Generator().manual_seed(3))
    assert torch.equal(ours, theirs)
    lstm = init.orthogonal_(elman.nn.LSTM(3, 5), generator=torch.Generator().manual_seed(3))
    drawn = torch.Generator().manual_seed(3)
    blocks = [torch.nn.init.orthogonal_(torch.empty(5, 5), generator=drawn) for _ in range(4)]
    assert torch.equal(lstm.weight_hh_l0, torch.cat(blocks))
    torch.manual_seed(3)
    assert torch.equal(init.orthogonal_(torch.empty(15, 5)), torch.cat(blocks[:3]))


def test_names_choose_the_weights() -> None:
    gru = elman.nn.GRU(4, 6, 2)
    before = {name: p.clone() for name, p in gru.named_parameters()}
    init.orthogonal_(gru, name="weight_?h_l1")
    changed = [name for name, p in gru.named_parameters() if not torch.equal(p, before[name])]
    assert changed == ["weight_ih_l1", "weight_hh_l1"]
    init.orthogonal_(gru, name="weight_ih_l0")
    for block in gru.weight_ih_l0.split(6):  # of 6 rows by 4 columns: the columns
        torch.testing.assert_close(block.T @ block, torch.eye(4))
    init.orthogonal_(torch.empty(18, 4), gates=np.int64(3))


def test_projections_take_orthogonal_columns_and_no_spectral_radius() -> None:
    lstm = init.orthogonal_(torch.nn.LSTM(3, 6, proj_size=3))  # 24 rows by 3 columns: 4 gates, not 8
    for block in lstm.weight_hh_l0.split(6):
        torch.testing.assert_close(block.T @ block, torch.eye(3))
    with pytest.raises(ValueError, match=r"weight_hh_l0: expected square weights of each gate, got \(6, 3\)"):
        init.spectral_radius_(lstm, 0.9)


def test_a_gates_bias_is_the_sum_of_two_and_the_other_gates_keep_theirs() -> None:
    for lstm in (elman.nn.LSTM(3, 4, 2, bidirectional=True), torch.nn.LSTM(3, 4, 2, bidirectional=True)):
        before = biases_of(lstm, "_l1_reverse")
        assert init.gate_bias_(lstm, "f", 1.0) is lstm
        for suffix in ("_l0", "_l0_reverse", "_l1", "_l1_reverse"):
            assert biases_of(lstm, suffix)[4:8].tolist() == [1.0] * 4
        after = biases_of(lstm, "_l1_reverse")
        assert torch.equal(after[:4], before[:4])
        assert torch.equal(after[8:], before[8:])
    own = init.gate_bias_(elman.nn.Recurrent(MinimalGatedUnit(), 3, 4), "f", [0.0, -1, -2, -3])
    assert biases_of(own)[:4].tolist() == [0, -1, -2, -3]
    assert init.gate_bias_(elman.nn.Recurrent(IndRNN(), 3, 2), "a", 0.5).bias_ih_l0.tolist() == [0.5, 0.5]
    model = init.gate_bias_(torch.nn.ModuleList([torch.nn.GRU(3, 4), elman.nn.LSTM(3, 4)]), "z", 3.0)
    assert biases_of(model[0])[4:8].tolist() == [3.0] * 4


def test_chrono_biases_keep_states_for_two_steps_to_the_longest_time() -> None:
    lstm = init.chrono_(elman.nn.LSTM(1, 500, 2), 100, torch.Generator().manual_seed(0))
    for suffix in ("_l0", "_l1"):
        i, f, g, _ = biases_of(lstm, suffix).view(4, 500)
        assert torch.equal(i, -f)
        steps = 1 / (1 - f.double().sigmoid())
        assert 2 <= steps.min() < 4 < 96 < steps.max() <= 100 + 1e-3
        assert 45 < steps.mean() < 56  # uniform between them
        assert g.abs().max() < 2 / 500**0.5
    gru = init.chrono_(torch.nn.GRU(1, 8), 50, torch.Generator().manual_seed(1))
    assert (biases_of(gru)[8:16] > 0).all()
    again = init.chrono_(elman.nn.GRUCell(1, 8), 50, torch.Generator().manual_seed(1))
    assert torch.equal(biases_of(again, "")[8:16], biases_of(gru)[8:16])


def test_a_cell_of_ones_own_says_which_gates_keep_and_write() -> None:
    own = init.chrono_(elman.nn.Recurrent(MinimalGatedUnit(), 1, 8), 50, write="f")
    assert (biases_of(own)[:8] < 0).all()
    own = init.chrono_(elman.nn.Recurrent(CoupledLSTM(), 1, 8), 50, keep="f")
    assert (biases_of(own)[:8] > 0).all()
    with pytest.raises(ValueError, match="module: expected a GRU or an LSTM, or gates keep= and write="):
        init.chrono_(own, 50)


def test_parametrized_weights_are_set_through_their_parametrization() -> None:
    rnn = parametrizations.weight_norm(elman.nn.RNN(3, 5), "weight_hh_l0")
    init.spectral_radius_(rnn, 0.7)
    assert radius_of(rnn.weight_hh_l0.detach().double()) == pytest.approx(0.7, abs=1e-5)
    rnn = parametrizations.orthogonal(elman.nn.RNN(3, 5), "weight_hh_l0")
    before = rnn.weight_hh_l0.detach().clone()
    with pytest.raises(ValueError, match="weight_hh_l0: expected weights that its parametrizations allow"):
        init.identity_(rnn, 0.5)
    torch.testing.assert_close(rnn.weight_hh_l0, before)
    with pytest.raises(ValueError, match="tensor: expected a parameter, got what is computed from others"):
        init.identity_(rnn.weight_hh_l0)


def test_weights_that_hooks_compute_are_refused() -> None:
    pruned = elman.nn.GRU(3, 5)
    prune.l1_unstructured(pruned, "weight_hh_l0", amount=0.4)
    with pytest.raises(ValueError, match="weight_hh_l0: expected a parameter, got what pruning or other hooks compute"):
        init.spectral_radius_(pruned, 0.9)
    prune.remove(pruned, "weight_hh_l0")
    assert (init.spectral_radius_(pruned, 0.9).weight_hh_l0 == 0).sum() == round(0.4 * 75)


def test_pytorchs_layers_are_known_while_ours_stand_in_their_place() -> None:
    theirs = torch.nn.LSTM(3, 4)
    with elman.nn.in_torch():
        init.gate_bias_(theirs, "f", 2.0)
    assert biases_of(theirs)[4:8].tolist() == [2.0] * 4


def test_weights_without_memory_stay_so() -> None:
    assert init.orthogonal_(elman.nn.GRU(3, 4, device="meta")).weight_hh_l0.is_meta


LSTM, TENSOR = elman.nn.LSTM(3, 4), torch.ones(4, 4)
REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "radius below 0": (lambda: init.spectral_radius_(TENSOR, -1), "radius: expected a number of 0 or more, got -1"),
    "radius of a text": (lambda: init.spectral_radius_(TENSOR, "1"), "radius: expected a number of 0 or more, got '1'"),
    "NaN": (lambda: init.spectral_radius_(TENSOR * float("nan"), 1), "tensor: expected weights .* got NaN or infinity"),
    "zeros": (lambda: init.spectral_radius_(TENSOR * 0, 1), "tensor: expected weights .* got a radius of 0"),
    "nilpotent": (lambda: init.spectral_radius_(TENSOR.triu(1), 1), "tensor: expected weights .* got a radius of 0"),
    "gain": (lambda: init.orthogonal_(TENSOR, float("inf")), "gain: expected a number, got inf"),
    "shape": (lambda: init.orthogonal_(torch.ones(5, 3)), r"tensor: expected \(gates \* hidden_size, hidden_size\)"),
    "no matrix": (lambda: init.identity_(torch.ones(5)), "tensor: expected a matrix of floating-point numbers"),
    "integers": (lambda: init.identity_(TENSOR.long()), "tensor: expected a matrix .* torch.int64"),
    "no tensor": (lambda: init.identity_([[1.0]]), "tensor: expected a tensor or a module, got list"),
    "gates": (lambda: init.orthogonal_(TENSOR, gates=3), r"tensor: expected as many rows of each of 3 gates, got \(4"),
    "gates of 0": (lambda: init.orthogonal_(TENSOR, gates=0), "gates: expected an integer above 0, got 0"),
    "name": (
        lambda: init.identity_(LSTM, name="weight_hh"),
        r"name: expected to match a matrix of the LSTM \(weight_hh",
    ),
    "name of no text": (lambda: init.identity_(LSTM, name=0), "name: expected a pattern such as 'weight_hh"),
    "nothing recurrent": (lambda: init.identity_(torch.nn.Linear(2, 2)), r"name: .* of the Linear \(weight\), got 'we"),
    "gate": (lambda: init.gate_bias_(LSTM, "z", 1), "gate: expected one of f, g, i, o, got 'z'"),
    "gate of no text": (lambda: init.gate_bias_(LSTM, ["f"], 1), r"gate: expected a gate's name, got \['f'\]"),
    "value": (lambda: init.gate_bias_(LSTM, "f", [1, 2]), r"value: expected .* each of 4 hidden units, got \(2,\)"),
    "value of a text": (lambda: init.gate_bias_(LSTM, "f", "1"), "value: expected a number, or one .* got '1'"),
    "no biases": (
        lambda: init.gate_bias_(torch.nn.GRU(2, 2, bias=False), "z", 1),
        "module: expected biases, but a GRU",
    ),
    "no module": (lambda: init.gate_bias_(TENSOR, "f", 1), "module: expected a torch.nn.Module, got Tensor"),
    "no recurrence": (lambda: init.gate_bias_(torch.nn.Linear(2, 2), "f", 1), "module: expected a recurrent layer"),
    "max_steps": (lambda: init.chrono_(LSTM, 1), "max_steps: expected a number of 2 or more, got 1"),
    "chrono of an RNN": (lambda: init.chrono_(elman.nn.RNN(2, 2), 9), "module: expected a GRU or an LSTM, .* got RNN"),
    "keep": (
        lambda: init.chrono_(LSTM, 9, keep="x"),
        "module: expected .* gates keep= and write= that it has, got LSTM",
    ),
    "keep of no text": (lambda: init.chrono_(LSTM, 9, keep=1), "keep: expected a gate's name, got 1"),
}


@pytest.mark.parametrize(("call", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused_in_one_line(call: Callable[[], Any], message: str) -> None:
    before = {name: value.clone() for name, value in LSTM.state_dict().items()}
    with pytest.raises((TypeError, ValueError)) as refusal:
        call()
    assert re.match(message, str(refusal.value)), str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert all(torch.equal(value, before[name]) for name, value in LSTM.state_dict().items())
