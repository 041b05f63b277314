"""``elman.nn.parametrizations``: what holds of the weights before, while and after they are trained."""

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.utils import parametrize

import elman
import elman.nn
from elman.cells import LSTM, PeepholeLSTM, VoltageLeaky, learned
from elman.nn import init, parametrizations
from tests.nn.cases import output_of
from tests.nn.test_init import radius_of, recurrent_blocks

MODULES: dict[str, Callable[[], Any]] = {
    "RNN": lambda: elman.nn.RNN(3, 5, 2),
    "GRU": lambda: elman.nn.GRU(3, 5, bidirectional=True),
    "LSTM with widths": lambda: elman.nn.LSTM(3, [5, 5]),
    "torch's GRU": lambda: torch.nn.GRU(3, 5),
    "torch's LSTM": lambda: torch.nn.LSTM(3, 5, dtype=torch.float64),
    "leaky": lambda: elman.nn.Recurrent(VoltageLeaky(), 3, 5, 2),
    "peephole": lambda: elman.nn.Recurrent(PeepholeLSTM(), 3, 5),
}
MASK = torch.rand(5, 5, generator=torch.Generator().manual_seed(0)) < 0.5


class Tripled(torch.nn.Module):
    def forward(self, values: Tensor) -> Tensor:
        return 3 * values

    def right_inverse(self, values: Tensor) -> Tensor:
        return values / 3


def weights_of(module: Any) -> list[Tensor]:
    """The recurrent weights of each layer, direction and gate."""
    names = sorted(module.parametrizations)
    return [block for name in names for block in getattr(module, name).detach().double().split(5)]


def has_signs(module: Any) -> bool:
    return all((w[:, :4] >= 0).all() and (w[:, 4] <= 0).all() and w.any() for w in weights_of(module))


def is_masked(module: Any) -> bool:
    return all(not w[~MASK].any() and w[MASK].all() for w in weights_of(module))


def is_orthogonal(module: Any) -> bool:
    return all(torch.allclose(w @ w.T, torch.eye(5).double(), atol=1e-5) for w in weights_of(module))


def is_within(radius: float) -> Callable[[Any], bool]:
    return lambda module: all(radius_of(w) < radius + 1e-5 for w in weights_of(module))


def has_norm(module: Any) -> bool:
    return all(torch.linalg.matrix_norm(w, 2) < 0.3 + 1e-5 for w in weights_of(module))


CONSTRAINTS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], bool]]] = {
    "dale": (parametrizations.dale, has_signs),
    "connectivity": (lambda module: parametrizations.connectivity(module, MASK), is_masked),
    "orthogonal": (parametrizations.orthogonal, is_orthogonal),
    "spectral_radius": (lambda module: parametrizations.spectral_radius(module, 0.3), is_within(0.3)),
    "spectral_norm": (lambda module: parametrizations.spectral_norm(module, 0.3), has_norm),
}
modules = pytest.mark.parametrize("make", MODULES.values(), ids=MODULES)
constraints = pytest.mark.parametrize(("constrain", "holds"), CONSTRAINTS.values(), ids=CONSTRAINTS)


def train(module: Any, updates: int = 8) -> list[float]:
    torch.manual_seed(2)
    x, optimizer, losses = torch.randn(6, 4, 3), torch.optim.Adam(module.parameters(), lr=0.02), []
    x = x.to(next(module.parameters()).dtype)
    for _ in range(updates):
        loss = (output_of(module(x)) - 0.3).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@constraints
@modules
def test_a_constraint_holds_before_and_after_training(
    make: Callable[[], Any], constrain: Callable[[Any], Any], holds: Callable[[Any], bool]
) -> None:
    torch.manual_seed(1)
    module = constrain(make())
    assert holds(module)
    before = weights_of(module)
    losses = train(module)
    assert losses[-1] < losses[0]
    assert holds(module)
    assert not all(torch.equal(x, y) for x, y in zip(before, weights_of(module), strict=True))
    state = module.state_dict()
    other = constrain(make())
    other.load_state_dict(state)
    torch.testing.assert_close(weights_of(other), weights_of(module))
    assert holds(copy.deepcopy(other))
    kept = weights_of(other)
    for name in [*other.parametrizations]:
        parametrize.remove_parametrizations(other, name)
    torch.testing.assert_close(kept, recurrent_blocks(other))


@constraints
def test_gradients_are_those_of_the_formula(constrain: Callable[[Any], Any], holds: Callable[[Any], bool]) -> None:
    torch.manual_seed(3)
    gru = constrain(elman.nn.GRU(3, 5, dtype=torch.float64))
    list_of = gru.parametrizations.weight_hh_l0
    original = torch.randn_like(list_of.original) + 0.1 * list_of.original.detach()

    def weight(original: Tensor) -> Tensor:
        for each in list_of:
            original = each(original)
        return original

    assert torch.autograd.gradcheck(weight, original.requires_grad_())


@constraints
def test_the_engine_is_handed_what_is_computed(
    constrain: Callable[[Any], Any], holds: Callable[[Any], bool], engine_calls: list[str]
) -> None:
    torch.manual_seed(1)
    ours, theirs = constrain(elman.nn.LSTM(3, 5)), constrain(torch.nn.LSTM(3, 5))
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(6, 2, 3)
    results = []
    for lstm in (ours, theirs):
        output, _ = lstm(x)
        output.square().sum().backward()
        results.append([output, *(p.grad for p in lstm.parameters())])
    torch.testing.assert_close(*results)
    assert engine_calls == ["forward", "backward"]


@constraints
@pytest.mark.parametrize("kind", ["leaky", "GRU", "torch's LSTM"])
def test_the_weights_that_are_computed_are_saved(
    kind: str, constrain: Callable[[Any], Any], holds: Callable[[Any], bool], tmp_path: Path
) -> None:
    module = constrain(MODULES[kind]())
    train(module, 2)
    elman.save(module, tmp_path / "network.safetensors")
    network, x = elman.load(tmp_path / "network.safetensors"), np.ones((4, 2, 3), "f")
    x = x.astype(network.parameters["weight_hh_l0"].dtype)
    expected = output_of(module.eval()(torch.from_numpy(x))).detach().numpy()
    np.testing.assert_allclose(network(x)[0], expected, atol=1e-6)
    if "torch" not in kind:
        assert (network(x)[0] == expected).all()


def test_signs_and_masks_and_a_bound_stand_together_and_are_initialised() -> None:
    rnn = elman.nn.Recurrent(VoltageLeaky(), 3, 5)
    parametrizations.dale(rnn, 0.8)
    parametrizations.connectivity(rnn, MASK)
    parametrizations.spectral_radius(rnn, 1.0)
    init.spectral_radius_(rnn, 0.95)
    assert radius_of(weights_of(rnn)[0]) == pytest.approx(0.95, abs=1e-5)
    train(rnn)
    assert has_signs(rnn)
    assert is_masked(rnn)
    assert is_within(1.0)(rnn)
    with pytest.raises(ValueError, match="weight_hh_l0: expected weights that its parametrizations allow"):
        init.orthogonal_(rnn)


def test_weights_of_zero_can_learn_and_those_within_a_bound_keep_their_bits() -> None:
    rnn = elman.nn.RNN(3, 5)
    torch.nn.init.zeros_(rnn.weight_hh_l0)
    train(parametrizations.dale(rnn))
    assert all(w.any() for w in weights_of(rnn))
    rnn = elman.nn.RNN(3, 5)
    weight = rnn.weight_hh_l0.detach().clone()
    assert torch.equal(parametrizations.spectral_radius(rnn, 9).weight_hh_l0, weight)
    triangle = torch.ones(5, 5).triu(1)  # without eigenvectors, and a radius of 0
    parametrizations.connectivity(rnn, triangle)
    assert all(torch.isfinite(torch.tensor(loss)) for loss in train(rnn))


def test_a_radius_has_gradients_where_few_units_are_connected() -> None:
    torch.manual_seed(1)
    chain = torch.zeros(5, 5)
    chain[[0, 1, 3, 4], [1, 0, 2, 3]] = 1  # two units in a circle, and three of which the last hears of no other
    rnn = elman.nn.RNN(3, 5, dtype=torch.float64)
    parametrizations.connectivity(rnn, chain)
    bounded = parametrizations.spectral_radius(rnn, 0.1).parametrizations.weight_hh_l0[-1]
    weight = chain.double().requires_grad_()
    radius = weight[0, 1].detach()
    torch.testing.assert_close(bounded(weight), 0.1 / radius * chain.double())
    (gradient,) = torch.autograd.grad(bounded(weight)[4, 3], weight)  # 0.1 W / sqrt(w_01 w_10)
    expected = torch.zeros(5, 5, dtype=torch.float64)
    expected[4, 3], expected[0, 1], expected[1, 0] = 0.1, -0.05, -0.05
    torch.testing.assert_close(gradient * chain, expected, atol=1e-5, rtol=0)


@constraints
def test_constraints_hold_under_transforms_and_compilation(
    constrain: Callable[[Any], Any], holds: Callable[[Any], bool]
) -> None:
    torch.manual_seed(1)
    rnn = constrain(elman.nn.Recurrent(LSTM(), 3, 5))
    with torch.no_grad():
        rnn.parametrizations.weight_hh_l0.original[:5] *= 0.01  # of four gates one is within a bound
    x, originals = torch.randn(6, 4, 3), {name: p.detach() for name, p in rnn.named_parameters()}

    def loss(parameters: dict[str, Tensor]) -> Tensor:
        return torch.func.functional_call(rnn, parameters, (x,))[0].square().mean()

    two = {name: torch.stack([p, 1.5 * p]) for name, p in originals.items()}
    gradients, values = torch.func.vmap(torch.func.grad_and_value(loss))(two)
    for index in range(2):
        alone = {name: p[index].requires_grad_() for name, p in two.items()}
        value = loss(alone)
        torch.testing.assert_close(values[index], value.detach())
        for name, gradient in zip(alone, torch.autograd.grad(value, [*alone.values()]), strict=True):
            torch.testing.assert_close(gradients[name][index], gradient, atol=1e-6, rtol=1e-4)
    compiled = torch.compile(rnn, fullgraph=True, backend="eager")
    assert torch.equal(compiled(x)[0], rnn(x)[0])


def test_a_parametrized_layer_of_ones_own_cell_is_drawn_anew() -> None:
    rnn = parametrizations.dale(elman.nn.Recurrent(VoltageLeaky(learned(0.5)), 3, 5))
    parametrize.register_parametrization(rnn, "leak_l0", Tripled())
    torch.manual_seed(4)
    rnn.reset_parameters()
    torch.manual_seed(4)
    plain = elman.nn.Recurrent(VoltageLeaky(learned(0.5)), 3, 5)
    torch.testing.assert_close(rnn.weight_hh_l0.abs(), plain.weight_hh_l0.abs())
    assert (rnn.weight_hh_l0[:, 4] < 0).all()
    torch.testing.assert_close(rnn.leak_l0, plain.leak_l0)


def test_orthogonal_weights_begin_with_those_that_are_there() -> None:
    gru = init.orthogonal_(elman.nn.GRU(3, 5))
    weight = gru.weight_hh_l0.detach().clone()
    torch.testing.assert_close(parametrizations.orthogonal(gru).weight_hh_l0, weight)
    again = init.orthogonal_(torch.empty(15, 5))
    gru.weight_hh_l0 = again
    torch.testing.assert_close(gru.weight_hh_l0, again)


def test_names_choose_weights_and_units_are_chosen_one_by_one() -> None:
    excites = torch.tensor([True, False, True, False, True])
    readout = parametrizations.dale(torch.nn.Linear(5, 2), excites.tolist(), name="weight")
    assert torch.equal((readout.weight > 0).all(0), excites)
    assert torch.equal((readout.weight < 0).all(0), ~excites)
    rnn = parametrizations.connectivity(elman.nn.GRU(2, 5, 2), np.eye(15, 5), "weight_hh_l1")
    assert [*rnn.parametrizations] == ["weight_hh_l1"]
    assert (rnn.weight_hh_l1 != 0).sum() == 5
    model = torch.nn.ModuleDict({"rnn": elman.nn.RNN(2, 5), "cell": elman.nn.LSTMCell(2, 5)})
    parametrizations.dale(model, 0.2)
    for weight in (model["rnn"].weight_hh_l0, model["cell"].weight_hh):
        assert (weight[:, 0] > 0).all()
        assert (weight[:, 1:] < 0).all()


RNN = elman.nn.RNN(3, 5)
REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "share": (lambda: parametrizations.dale(RNN, 80), "excitatory: expected a share from 0 to 1, or booleans, got 80"),
    "units": (
        lambda: parametrizations.dale(RNN, [True] * 4),
        r"excitatory: expected a boolean for each of 5 units, got \(4,\)",
    ),
    "signs": (lambda: parametrizations.dale(RNN, [1, 1, 1, 1, -1]), "excitatory: expected booleans, or zeros and ones"),
    "text": (
        lambda: parametrizations.dale(RNN, "most"),
        "excitatory: expected booleans, or zeros and ones, got 'most'",
    ),
    "mask": (lambda: parametrizations.connectivity(RNN, torch.eye(3)), r"mask: expected \(5, 5\), got \(3, 3\)"),
    "values": (lambda: parametrizations.connectivity(RNN, torch.rand(5, 5)), "mask: expected booleans, or zeros and o"),
    "bound": (lambda: parametrizations.spectral_radius(RNN, 0), "bound: expected a number above 0, got 0"),
    "bound of NaN": (lambda: parametrizations.spectral_norm(RNN, float("nan")), "bound: expected a number above 0"),
    "square": (
        lambda: parametrizations.orthogonal(RNN, "weight_ih*"),
        r"weight_ih_l0: expected square weights of each gate, got \(5, 3\)",
    ),
    "name": (
        lambda: parametrizations.dale(RNN, name="weight"),
        r"name: expected to match a matrix of the RNN \(weight",
    ),
    "module": (lambda: parametrizations.dale(RNN.weight_hh_l0), "module: expected a torch.nn.Module, got Parameter"),
}


@pytest.mark.parametrize(("call", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused_in_one_line_and_nothing_is_registered(call: Callable[[], Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError)) as refusal:
        call()
    assert re.match(message, str(refusal.value)), str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert not parametrize.is_parametrized(RNN)
