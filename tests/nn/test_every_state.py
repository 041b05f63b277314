"""Gradients that come back through all states of a layer, at every step: the engine's, as those through the output."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap
from torch.nn.utils.rnn import pack_padded_sequence

import elman.nn
from elman.cells import LSTM, Cell, RecurrentDropout, learned, sigma, tanh
from elman.ops import _calls, _layer
from elman.ops._cells import BUILT_IN, of_program
from tests.nn.test_recurrent import LIBRARY, WRAPPED, Driven


class Fed(Cell):
    """The third state is fed back; all kinds of gates and inputs."""

    gates, states, fed_back = ("a", "b"), ("h", "v", "r"), "r"
    step_inputs, sequence_inputs = ("noise",), ("mask",)

    def step(self, a: Any, b: Any, h: Any, v: Any, r: Any, noise: Any, mask: Any, leak: Any) -> Any:
        v = (1 - leak) * v + leak * (a + noise)
        return v - 0.5 * h, v, mask * tanh(v + sigma(b.input) * b.recurrent)


class Noisy(Cell):
    """As many step inputs as the engine takes: there is no room for more."""

    states, step_inputs = ("h", "v"), tuple("klmnpqrs")

    def step(self, a: Any, v: Any, k: Any, l: Any, m: Any, n: Any, p: Any, q: Any, r: Any, s: Any) -> Any:  # noqa: E741
        v = 0.5 * v + a * k + l + m + n + p + q + r + s
        return tanh(v), v


MADE: dict[str, Callable[[], Cell] | None] = {
    "built in": None,
    "program": LSTM,
    "inputs": lambda: Driven(leak=learned(0.3), scale=learned(1.5)),
    "fed back": lambda: Fed(leak=learned(0.3)),
    "masked": lambda: RecurrentDropout(LSTM(), 0.3),
}
each_layer = pytest.mark.parametrize("name", MADE)
ASKED: dict[str, dict[str, Any]] = {
    "plain": {},
    "lengths": {"lengths": [2, 0, 4]},
    "resets": {"resets": torch.tensor([[0, 0, 1], [0, 0, 0], [1, 0, 0], [0, 0, 1]]) > 0},
}


def made(name: str, input_size: int = 2, units: int = 3, **options: Any) -> Any:
    torch.manual_seed(2)
    make = MADE[name]
    if make is None:
        return elman.nn.LSTM(input_size, units, **options)
    return elman.nn.Recurrent(make(), input_size, units, **options).eval()  # nothing is drawn


def given(layer: Any, steps: int = 4, batch: int = 3) -> tuple[Tensor, dict[str, Tensor]]:
    """An input, and what else the cell asks for."""
    dtype, units = layer.weight_ih_l0.dtype, layer.hidden_size
    x = torch.randn(steps, batch, layer.input_size, dtype=dtype, requires_grad=True)
    if not isinstance(getattr(layer, "cell", None), Driven | Fed):
        return x, {}
    return x, {
        "noise": torch.randn(steps, batch, units, dtype=dtype, requires_grad=True),
        "mask": torch.rand(batch, units, dtype=dtype, requires_grad=True),
    }


def further(results: Any) -> list[Tensor]:
    """The states but the first at every step, of all layers."""
    states = [state for of_layer in results[2] for state in of_layer[1:]]
    return [state if isinstance(state, Tensor) else state.data for state in states]


def gradients(results: Any, leaves: list[Tensor]) -> list[Tensor]:
    """Those that come through the states but the first."""
    loss = sum((state.sin().sum() for state in further(results)), torch.zeros(()))
    return [*torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)]


@pytest.fixture
def on_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: Any) -> Any:
        raise AssertionError("by PyTorch's operations")

    monkeypatch.setattr(_layer, "differentiable_backward", refuse)


@pytest.mark.usefixtures("on_engine")
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("asked", ASKED)
@each_layer
def test_the_engine_finds_what_finite_differences_do(name: str, asked: str, bias: bool) -> None:
    layer = made(name, num_layers=2, bias=bias, bidirectional=asked != "resets", dtype=torch.float64)
    x, inputs = given(layer)
    names = [name for name, _ in layer.named_parameters()]

    def function(x: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        more = dict(zip(inputs, others, strict=False)) | ASKED[asked]
        weights = dict(zip(names, others[len(inputs) :], strict=True))
        return (*further(functional_call(layer, weights, (x,), {"return_states": True} | more)),)

    assert torch.autograd.gradcheck(function, [x, *inputs.values(), *layer.parameters()], fast_mode=True)


@pytest.mark.usefixtures("on_engine")
@each_layer
def test_they_have_the_same_bits_on_any_number_of_threads(name: str) -> None:
    layer, found = made(name, 30, 70), []
    x, inputs = given(layer, 20, 130)
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found.append(gradients(layer(x, return_states=True, **inputs), [x, *inputs.values(), *layer.parameters()]))
    assert all(map(torch.equal, *found))


@pytest.mark.usefixtures("on_engine")
@pytest.mark.parametrize("name", ["built in", "program"])
def test_they_have_the_same_bits_packed_and_padded(name: str) -> None:
    layer, lengths = made(name, bidirectional=True), torch.tensor([2, 1, 4])
    x, _ = given(layer)
    packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
    ways = layer(x, lengths=lengths, return_states=True), layer(packed, return_states=True)
    padded, of_packed = (gradients(results, [x, *layer.parameters()]) for results in ways)
    assert all(map(torch.equal, padded, of_packed))
    assert not padded[0][2:, 0].any()


@pytest.mark.usefixtures("on_engine")
@each_layer
def test_an_output_that_was_written_to_changes_none(name: str) -> None:
    layer = made(name)
    x, inputs = given(layer)
    expected = gradients(layer(x, return_states=True, **inputs), [x, *layer.parameters()])
    results = layer(x, return_states=True, **inputs)
    with torch.no_grad():
        results[0].zero_()
    assert all(map(torch.equal, gradients(results, [x, *layer.parameters()]), expected))


@each_layer
def test_those_of_each_sample_are_one_call_of_the_engine(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = made(name, bidirectional=True)
    samples = [given(layer) for _ in range(3)]
    weights = {name: p.detach() for name, p in layer.named_parameters()}

    def loss(weights: Any, x: Tensor, inputs: dict[str, Tensor]) -> Tensor:
        results = functional_call(layer, weights, (x,), {"return_states": True} | inputs)
        return torch.stack([state.sin().sum() for state in further(results)]).sum()

    expected = [grad(loss)(weights, *sample) for sample in samples]
    calls, engine = [], _calls._backward

    def counted(*given: Any) -> Any:
        calls.append(given)
        return engine(*given)

    monkeypatch.setattr(_calls, "_backward", counted)
    x = torch.stack([x for x, _ in samples]).detach()
    inputs = {key: torch.stack([inputs[key] for _, inputs in samples]).detach() for key in samples[0][1]}
    found = vmap(grad(loss), in_dims=(None, 0, 0))(weights, x, inputs)
    assert len(calls) == 1
    for key, of_samples in found.items():
        torch.testing.assert_close(of_samples, torch.stack([one[key] for one in expected]))


def test_where_the_engine_has_no_room_for_them_pytorchs_operations_find_them() -> None:
    torch.manual_seed(1)
    layer = elman.nn.Recurrent(Noisy(), 2, 3, dtype=torch.float64)
    noise = dict(zip(Noisy.step_inputs, torch.randn(8, 4, 3, 3, dtype=torch.float64), strict=True))
    x, _ = given(layer)
    assert torch.autograd.gradcheck(lambda x: (*further(layer(x, return_states=True, **noise)),), x)


def test_the_backward_pass_through_all_states_reads_what_the_forward_pass_keeps() -> None:
    for cell in (*LIBRARY, *WRAPPED):
        plain = of_program(cell.program, 4)
        assert plain.with_every(4).kept == plain.code.kept
    lstm = BUILT_IN["lstm"]
    assert lstm.with_every(4).kept + 1 == lstm.kept  # c besides
