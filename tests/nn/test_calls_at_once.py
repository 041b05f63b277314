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


LENGTHS = torch.tensor([3, 0, 6, 6, 1])
RESETS = (
    torch.tensor([[1, 0, 1, 0, 0], [0, 0, 0, 1, 0], [0] * 5, [0, 0, 1, 0, 0], [1, 0, 0, 0, 0], [0, 0, 1, 1, 1]]) > 0
)
CUTS = [
    {"lengths": LENGTHS},
    {"lengths": LENGTHS.clamp(min=1).repeat_interleave(2)[::2]},
    {"lengths": torch.full((5,), 6)},
    {"lengths": torch.zeros(5, dtype=torch.int64)},
    {"resets": RESETS},
    {"resets": RESETS.T.contiguous().T},
    {"resets": torch.zeros_like(RESETS)},
    {"resets": torch.arange(6).unsqueeze(1).expand(6, 5) == 0},
    {"lengths": LENGTHS, "resets": RESETS},
]


@pytest.mark.parametrize("family", ["RNN", "GRU", "LSTM"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("asked", [{}, {"bidirectional": True}, {"batch_first": True}])
def test_a_cut_batch_gives_the_bits_of_the_general_road(family: str, dtype: torch.dtype, asked: dict[str, Any]) -> None:
    layer, bidirectional = getattr(elman.nn, family)(3, 18, dtype=dtype, **asked), "bidirectional" in asked
    x, directions = torch.randn(6, 5, 3, dtype=dtype), 2 if bidirectional else 1
    states = torch.randn(5, directions, 18, dtype=dtype).transpose(0, 1), torch.randn(directions, 5, 18, dtype=dtype)
    for cuts in CUTS[: 4 if bidirectional else None]:
        if layer.batch_first:
            x, cuts = torch.randn(5, 6, 3, dtype=dtype), {n: c.T if n == "resets" else c for n, c in cuts.items()}
        for hx in (None, states if family == "LSTM" else states[0]):
            with torch.no_grad():
                at_once, general = layer(x, hx, **cuts), layer(x, hx, **cuts, return_states=True)
            flat = [[r[0], *(r[1] if family == "LSTM" else (r[1],))] for r in (at_once, general)]
            assert all(torch.equal(ours, theirs) for ours, theirs in zip(*flat, strict=True)), (cuts, hx)


def test_a_cut_batch_is_taken_at_once_where_it_needs_no_gradients() -> None:
    layer, x = torch.nn.LSTM(3, 4), torch.randn(6, 5, 3)
    weights, sizes = [*layer.parameters()], (3, 4, 1, True)

    def at_once(learns: bool, lengths: Any, resets: Any, directions: int = 1) -> Any:
        given = [*weights, *weights] if directions == 2 else weights
        asked = (*sizes[:2], directions, *sizes[3:], [], learns, lengths, resets)
        return _engine.forward_if_admitted(_engine.Cell.lstm, 1, x, None, None, given, *asked)

    for cuts in CUTS:
        given = cuts.get("lengths"), cuts.get("resets")
        results = at_once(False, *given)
        if given[0] is not None and not given[0].any():
            assert results is None
        else:
            assert [tuple(result.shape) for result in results] == [(6, 5, 4), (1, 5, 4), (1, 5, 4)]
        assert at_once(True, *given) is None
    refused = [LENGTHS.int(), LENGTHS[:4], LENGTHS + 1, LENGTHS - 1, LENGTHS.float(), [3] * 5, LENGTHS.unsqueeze(1), 3]
    assert all(at_once(False, lengths, None) is None for lengths in refused)
    assert all(at_once(False, None, resets) is None for resets in (RESETS.int(), RESETS.T, RESETS[0], RESETS.tolist()))
    assert at_once(False, None, RESETS, 2) is None


@pytest.mark.parametrize("family", ["RNN", "GRU", "LSTM"])
def test_rows_of_a_step_that_are_reset_begin_with_zeros_whatever_was_there(family: str) -> None:
    cell, x, reset = getattr(elman.nn, f"{family}Cell")(3, 18), torch.randn(5, 3), torch.arange(5) % 2 == 0
    before = torch.randn(18, 5).T.masked_fill(reset.unsqueeze(1), torch.nan)
    zeros = before.masked_fill(reset.unsqueeze(1), 0)
    with torch.no_grad():
        for flags in (reset, reset.repeat_interleave(2)[::2], reset.numpy(), reset.tolist()):
            ours, theirs = (
                cell(x, h if family != "LSTM" else (h, h.clone()), **asked)
                for h, asked in ((before, {"reset": flags}), (zeros, {}))
            )
            assert torch.equal(torch.stack([*ours]), torch.stack([*theirs]))
        assert torch.equal(torch.stack([*cell(x, reset=reset)]), torch.stack([*cell(x)]))
        for wrong in (reset[:4], reset.int(), reset.unsqueeze(0), 1):
            with pytest.raises(ValueError, match=r"reset: expected booleans \(batch\), \(5,\), got"):
                cell(x, None, reset=wrong)
    after = cell(x, zeros if family != "LSTM" else (zeros, zeros), reset=reset)
    assert (after[0] if family == "LSTM" else after).requires_grad


WRONG = [7, "x", [1.0], torch.zeros(5, 5).to_sparse(), Parameter(torch.zeros(5, 5, device="meta")), torch.zeros(2)]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda x: type(x).__name__)
def test_the_binding_takes_what_the_gate_admits_alone(wrong: Any) -> None:
    layer, input = torch.nn.RNN(3, 5), torch.randn(4, 2, 3)
    weights, f, rest = [*layer.parameters()], _engine.Cell.tanh, (3, 5, 1, True, [], True)
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


@pytest.mark.parametrize("wrong", WRONG, ids=lambda x: type(x).__name__)
def test_a_step_is_taken_at_once_where_the_gate_admits_it_alone(wrong: Any) -> None:
    cell, x, pair = torch.nn.LSTMCell(3, 5), torch.randn(2, 3), (torch.randn(2, 5), torch.randn(2, 5))

    def step(input: Any = x, hx: Any = pair, learns: bool = False, sizes: Any = (3, 5), **others: Any) -> Any:
        parameters = {**cell._parameters, **others}
        f = _engine.Cell.lstm
        return _engine.step_if_admitted(f, lambda: 1, input, hx, parameters, *sizes, True, learns, None)

    expected = [state.detach() for state in cell(x, pair)]
    strided = cell.weight_hh.detach().t().contiguous().t()
    for states in (step(), step(hx=[*pair]), step(weight_hh=strided), step(x.repeat(1, 2)[:, :3])):
        assert all(torch.allclose(ours, theirs, atol=1e-6) for ours, theirs in zip(states, expected, strict=True))
        assert all(torch.equal(state, of_all) for state, of_all in zip(states, step(), strict=True))
    given = [*pair, *cell.parameters()]
    assert all(ours is theirs for ours, theirs in zip(step(learns=True), given, strict=True))
    for refused in (
        step(wrong),
        step(hx=wrong),
        step(hx=(pair[0], wrong)),
        step(hx=(pair[0], None)),
        *(step(sizes=sizes) for sizes in ((wrong, 5), (3, wrong), (2, 5), (3, 0), (3, 2**62))),
        *(step(**{name: wrong}) for name in cell._parameters),
        step(weight_ih=torch._neg_view(cell.weight_ih.detach())),
        step(bias_ih=None),
    ):
        assert refused is None
