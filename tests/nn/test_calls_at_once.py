"""A single layer passes the gate and the engine in one call: what comes of it is what comes of any other road."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import Parameter

import elman.nn
from elman import _engine
from elman.cells import Cell, Learned, sigma, tanh


class Leaky(Cell):
    def step(self, a: Any, h: Any, leak: Any) -> Any:
        return (1 - leak) * h + leak * tanh(a)


class Slow(Cell):
    gates = ("write", "add")
    states = ("h", "trace")

    def step(self, write: Any, add: Any, h: Any, trace: Any, leak: Any) -> Any:
        after = (1 - leak) * trace + sigma(write) * tanh(add)
        return tanh(after) + leak * h, after


CELLS = [Leaky(leak=0.2), Leaky(leak=Learned(0.3)), Slow(leak=Learned(0.1))]


def gradients_of(results: Any, layer: torch.nn.Module, *inputs: torch.Tensor) -> list[torch.Tensor]:
    flat = [x for result in results for x in (result if isinstance(result, tuple) else (result,))]
    learnt = [*layer.parameters(), *inputs]
    return [*flat, *torch.autograd.grad([x.cos().sum() for x in flat], learnt, retain_graph=True)]


@pytest.mark.parametrize("cell", CELLS, ids=repr)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("asked", [{}, {"bidirectional": True}, {"bias": False}, {"batch_first": True}])
def test_a_layer_of_ones_own_cell_gives_the_bits_of_the_general_road(cell, dtype, asked):
    layer = elman.nn.Recurrent(cell, 3, 18, dtype=dtype, **asked)
    x, batch = torch.randn(5, 2, 3, dtype=dtype, requires_grad=True), 5 if layer.batch_first else 2
    h_0 = torch.randn(2 if layer.bidirectional else 1, batch, 18, dtype=dtype)
    for hx in (None, h_0 if len(cell.program.states) == 1 else (h_0, h_0)):
        general = layer(x, hx, return_states=True)[:2]
        for ours, theirs in zip(gradients_of(layer(x, hx), layer, x), gradients_of(general, layer, x), strict=True):
            assert torch.equal(ours, theirs)
        with torch.no_grad():
            assert torch.equal(layer(x, hx)[0], general[0])


def outcome(call: Callable[[], torch.Tensor]) -> Any:
    try:
        return call().tolist()
    except (ValueError, RuntimeError) as refusal:
        return repr(refusal)


@pytest.mark.parametrize("change", ["wider weights", "other dtype", "no bias", "negative view", "other unit inputs"])
def test_weights_that_were_changed_since_are_found_and_refused_as_by_the_general_road(change):
    layer, x = elman.nn.Recurrent(Leaky(leak=Learned(0.2)), 3, 4), torch.randn(5, 2, 3)
    if change == "wider weights":
        layer.weight_ih_l0 = Parameter(torch.randn(5, 3))
    elif change == "other dtype":
        layer.weight_hh_l0.data = layer.weight_hh_l0.double()
    elif change == "no bias":
        layer.bias_ih_l0 = None
    elif change == "negative view":
        layer.weight_ih_l0.data = torch.randn(4, 3, dtype=torch.complex64).conj().imag
    else:
        layer.leak_l0 = Parameter(torch.full((3,), 0.2))
    assert outcome(lambda: layer(x)[0]) == outcome(lambda: layer(x, return_states=True)[0])


WRONG = [7, "x", [1.0], torch.zeros(5, 5).to_sparse(), Parameter(torch.zeros(5, 5, device="meta")), torch.zeros(2)]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda x: type(x).__name__)
def test_the_binding_takes_what_the_gate_admits_alone(wrong: Any) -> None:
    layer, input = torch.nn.RNN(3, 5), torch.randn(4, 2, 3)
    weights, f, rest = [*layer.parameters()], _engine.Cell.tanh, (3, 5, 1, True, False, True)
    assert _engine.forward_if_admitted(f, 1, input, None, None, weights, *rest) is True
    for operands in ((wrong, None), (input, wrong), (None, None)):
        assert _engine.forward_if_admitted(f, 1, *operands, None, weights, *rest) is None
    for index in range(4):
        others = [*weights[:index], wrong, *weights[index + 1 :]]
        assert _engine.forward_if_admitted(f, 1, input, None, None, others, *rest) is None
    assert _engine.forward_if_admitted(f, 1, input, None, None, weights, wrong, *rest[1:]) is None
    assert _engine.forward_if_admitted(f, 1, input, None, None, weights, 3, wrong, *rest[2:]) is None
    with pytest.raises((ValueError, TypeError)):
        _engine.forward_kept(f, 1, 1, wrong, None, None, None, None, tuple(weights), 5)
    with pytest.raises((ValueError, TypeError)):
        _engine.forward_kept(f, 1, 1, input, wrong, None, None, None, tuple(weights), 5)
    with pytest.raises((ValueError, TypeError)):
        _engine.forward_kept(f, 1, 1, input, None, None, None, None, (wrong, *weights[1:]), 5)
