"""Lengths, resets, learned initial states, all layers' states, widths, residual connections, in any combination."""

import copy
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence
from torch.overrides import TorchFunctionMode

import elman.nn
from tests.nn.cases import CELLS, kind
from tests.nn.loops import by_loops
from tests.strategies import seeds


class Looking(TorchFunctionMode):
    """Under which the engine is given nothing."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return function(*args, **(kwargs or {}))


@dataclass(frozen=True)
class Asked:
    """A layer and a call of it."""

    cell: str
    options: dict[str, Any]
    training: bool
    dtype: torch.dtype
    form: str  # padded, unbatched, packed or unsorted
    steps: int
    batch: int
    lengths: list[int] | None
    resets: list[list[bool]] | None  # (batch, steps)
    has_hx: bool
    returns_states: bool
    on_engine: bool
    seed: int

    @property
    def ends(self) -> list[int]:
        return [self.steps] * self.batch if self.lengths is None else self.lengths


@st.composite
def asked(draw: st.DrawFn, cell: str) -> Asked:
    form = draw(st.sampled_from(["padded", "padded", "padded", "unbatched", "packed", "unsorted"]))
    is_packed = form in ("packed", "unsorted")
    batch, steps = 1 if form == "unbatched" else draw(st.integers(1, 5)), draw(st.integers(1 if is_packed else 0, 7))
    lengths = draw(st.lists(st.integers(int(is_packed), steps), min_size=batch, max_size=batch))
    if form == "packed":
        lengths.sort(reverse=True)
    layers = draw(st.integers(1, 3))
    bidirectional = draw(st.booleans())
    widths = draw(st.lists(st.integers(1, 5), min_size=layers, max_size=layers) | st.integers(1, 5))
    rows = st.lists(st.booleans(), min_size=steps, max_size=steps)
    resets = None
    if not bidirectional and not is_packed:
        resets = draw(st.none() | st.lists(rows, min_size=batch, max_size=batch))
    return Asked(
        cell=cell,
        options={
            "hidden_size": widths,
            "num_layers": layers,
            "bias": draw(st.booleans()),
            "batch_first": draw(st.booleans()),
            "dropout": draw(st.sampled_from([0.0, 0.0, 1.0])) if layers > 1 else 0.0,
            "bidirectional": bidirectional,
            "learn_initial_state": draw(st.booleans()),
            "residual": draw(st.booleans()),
        },
        training=draw(st.booleans()),
        dtype=draw(st.sampled_from([torch.float32, torch.float64])),
        form=form,
        steps=steps,
        batch=batch,
        lengths=lengths if is_packed or not steps or draw(st.booleans()) else None,
        resets=resets,
        has_hx=draw(st.booleans()),
        returns_states=draw(st.booleans()),
        on_engine=draw(st.booleans()),
        seed=draw(seeds),
    )


def flat(x: Any) -> list[Tensor]:
    """All tensors of a result."""
    if isinstance(x, PackedSequence):
        return [x.data]
    return [x] if isinstance(x, Tensor) else [tensor for item in x for tensor in flat(item)]


def laid_out(case: Asked, sequences: list[Tensor], width: int) -> Tensor:
    """Of each sequence (steps, width), as the layer's input lies, zeros elsewhere; for packed ones their rows."""
    zeros = sequences[0].new_zeros
    whole = [torch.cat([x.reshape(-1, width), zeros(case.steps - len(x), width)]) for x in sequences]
    if case.form == "unbatched":
        return whole[0]
    if case.form != "padded":
        return pack_padded_sequence(torch.stack(whole, 1), torch.tensor(case.ends), enforce_sorted=False).data
    return torch.stack(whole, 0 if case.options["batch_first"] else 1)


def expected_results(case: Asked, layer: Any, sequences: list[Tensor], given: Any) -> list[Tensor]:
    """What the call returns, its tensors in order."""
    found = by_loops(layer, sequences, given, case.resets)
    directions, kinds, widths = 1 + layer.bidirectional, 2 if case.cell == "lstm" else 1, layer._widths
    last = widths[-1] * directions
    results = [laid_out(case, found.output, last)]
    for of_kind in range(kinds):
        of_layers = [
            torch.stack(
                [
                    torch.stack([final[index * directions + direction][of_kind] for final in found.final])
                    for direction in range(directions)
                ]
            )
            for index in range(len(widths))
        ]
        of_layers = [x.squeeze(1) for x in of_layers] if case.form == "unbatched" else of_layers
        results += of_layers if isinstance(layer.hidden_size, tuple) else [torch.cat(of_layers)]
    if case.returns_states:
        for index, width in enumerate(widths):
            for of_kind in range(kinds):
                states = [of_sequence[index][of_kind] for of_sequence in found.states]
                results.append(laid_out(case, states, width * directions))
    return results


def gradients(results: list[Tensor], leaves: list[Tensor], arriving: list[Tensor]) -> list[Tensor]:
    """Zeros where nothing comes from."""
    sent = [(x, d.to(x.dtype)) for x, d in zip(results, arriving, strict=True) if x.requires_grad]
    found = torch.autograd.grad([x for x, _ in sent], leaves, [d for _, d in sent], allow_unused=True)
    return [torch.zeros_like(leaf) if d is None else d for d, leaf in zip(found, leaves, strict=True)]


@pytest.mark.parametrize("cell", CELLS)
@settings(max_examples=60)
@given(st.data())
def test_every_combination_computes_what_a_plain_loop_over_sequences_and_steps_does(
    cell: str, data: st.DataObject
) -> None:
    case = data.draw(asked(cell))
    torch.manual_seed(case.seed)
    layer = kind(elman.nn, case.cell)(3, **case.options, dtype=torch.float64).train(case.training)
    for name, parameter in layer.named_parameters():
        if "_0_l" in name:
            torch.nn.init.normal_(parameter)
    double, layer = layer, copy.deepcopy(layer).to(case.dtype)
    is_lstm, directions = case.cell == "lstm", 1 + layer.bidirectional

    sequences = [torch.randn(length, 3, dtype=torch.float64) for length in case.ends]
    states = [torch.randn(directions, case.batch, w, dtype=torch.float64) for w in layer._widths * (1 + is_lstm)]
    leaves = [x.requires_grad_() for x in [*sequences, *states]] + [*double.parameters()]
    kinds = [states[: len(layer._widths)], states[len(layer._widths) :]][: 1 + is_lstm]
    initial = [
        [
            [of[index][direction, row] for of in kinds]
            for index in range(len(layer._widths))
            for direction in range(directions)
        ]
        for row in range(case.batch)
    ]
    expected = expected_results(case, double, sequences, initial if case.has_hx else None)

    x = laid_out(case, [x.detach() for x in sequences], 3).to(case.dtype)
    if case.form == "padded":
        for row, end in enumerate(case.ends):
            (x[row, end:] if case.options["batch_first"] else x[end:, row]).fill_(torch.nan)
    elif case.form == "unbatched":
        x[case.ends[0] :] = torch.nan
    x.requires_grad_()
    ours = [state.detach().to(case.dtype).requires_grad_() for state in states]
    input, lengths = x, case.lengths
    if case.form in ("packed", "unsorted"):
        padding = torch.zeros(case.steps, case.batch, 1)
        packing = pack_padded_sequence(padding, torch.tensor(case.ends), enforce_sorted=case.form == "packed")
        input, lengths = packing._replace(data=x), None
    elif case.form == "unbatched" and lengths is not None:
        lengths = lengths[0]
    given = [[state.squeeze(1) for state in ours] if case.form == "unbatched" else ours][0]
    of_kinds = [given[: len(layer._widths)], given[len(layer._widths) :]][: 1 + is_lstm]
    of_kinds = [tuple(of) if isinstance(layer.hidden_size, tuple) else torch.cat(of) for of in of_kinds]
    hx = None if not case.has_hx else tuple(of_kinds) if is_lstm else of_kinds[0]
    resets = None
    if case.resets is not None:
        resets = torch.tensor(case.resets, dtype=torch.bool).reshape(case.batch, case.steps)
        if case.form == "unbatched":
            resets = resets[0]
        elif not case.options["batch_first"]:
            resets = resets.T
    with nullcontext() if case.on_engine else Looking():
        found = flat(layer(input, hx, lengths=lengths, resets=resets, return_states=case.returns_states))

    tolerance = 1e-4 if case.dtype is torch.float32 else 1e-11
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=tolerance, atol=tolerance)
    weights = [torch.randn_like(result) for result in expected]
    d_expected = torch.autograd.grad(
        sum((result * weight).sum() for result, weight in zip(expected, weights, strict=True))
        + sum(0 * x.sum() for x in leaves),
        leaves,
    )
    d_found = torch.autograd.grad(
        found, [x, *ours, *layer.parameters()], [w.to(case.dtype) for w in weights], allow_unused=True
    )
    d_found = [
        torch.zeros_like(leaf) if d is None else d
        for d, leaf in zip(d_found, [x, *ours, *layer.parameters()], strict=True)
    ]
    d_input = laid_out(case, [*d_expected[: case.batch]], 3)
    for one, other in zip(d_found, [d_input, *d_expected[case.batch :]], strict=True):
        torch.testing.assert_close(one.double(), other, rtol=10 * tolerance, atol=10 * tolerance)
