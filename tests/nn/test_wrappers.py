"""Zoneout and recurrent dropout around any cell, beside loops that say what the papers do, in float64."""

import copy
import pickle
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import elman.nn
from elman import cells
from elman.cells import GRU, LSTM, Cell, Elman, IndRNN, RecurrentDropout, VoltageLeaky, Zoneout, tanh
from tests.nn.loops import STEPS
from tests.nn.test_recurrent import states_of


class Voltage(Cell):
    """What is fed back is a rate, and the output is the voltage."""

    states, fed_back = ("v", "r"), "r"

    def step(self, a: Any, v: Any) -> Any:
        v = 0.7 * v + 0.3 * a
        return v, tanh(v)


def voltage(u: Tensor, v: Tensor, voltage: Tensor, rate: Tensor) -> list[Tensor]:
    after = 0.7 * voltage + 0.3 * (u + v)
    return [after, after.tanh()]


def leaky(u: Tensor, v: Tensor, rate: Tensor, voltage: Tensor) -> list[Tensor]:
    after = 0.8 * voltage + 0.2 * (u + v)
    return [after.relu(), after]


#: A cell, what it does in PyTorch's operations, and which of its states is fed back.
INSIDE: dict[str, tuple[Cell, Callable[..., list[Tensor]], int]] = {
    "Elman": (Elman(), STEPS["RNN_TANH"], 0),
    "GRU": (GRU(), STEPS["GRU"], 0),
    "LSTM": (LSTM(), STEPS["LSTM"], 0),
    "VoltageLeaky": (VoltageLeaky(0.2), leaky, 0),
    "fed back": (Voltage(), voltage, 1),
}
WRAPPED: dict[str, Callable[[Cell], Cell]] = {
    "plain": lambda cell: cell,
    "zoneout": lambda cell: Zoneout(cell, 0.3),
    "dropout": lambda cell: RecurrentDropout(cell, 0.4),
    "zoneout of dropout": lambda cell: Zoneout(RecurrentDropout(cell, 0.4), 0.3),
    "dropout of zoneout": lambda cell: RecurrentDropout(Zoneout(cell, 0.3), 0.4),
}
UNITS = 3


def masks_of(cell: Cell, steps: int, batch: int) -> dict[str, Tensor]:
    """What is drawn while training, so that the loops know it."""
    empty = {name: torch.empty(steps, batch, UNITS).double() for name in cell.step_inputs}
    empty |= {name: torch.empty(batch, UNITS).double() for name in cell.sequence_inputs}
    return {name: cell.draw(name, mask, True).requires_grad_() for name, mask in empty.items()}


def loop(
    layer: Any, inside: str, x: Tensor, masks: dict[str, Tensor], ends: list[int], flags: Tensor, given: list[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """The output and the final states of a layer in one or two directions: every sequence, step and state by itself.

    ``given`` are the initial states (directions, batch, units).
    """
    cell, step, fed_back = INSIDE[inside]
    outputs, finals = [], []
    for direction, suffix in enumerate(("", "_reverse")[: 1 + layer.bidirectional]):
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        w_ih, w_hh, b_ih, b_hh = (getattr(layer, f"{name}_l0{suffix}") for name in names)
        rows, last = [], []
        for b, end in enumerate(ends):
            states = [state[direction, b] for state in given]
            taken: dict[int, Tensor] = {}
            for t in [*range(end)][:: -1 if direction else 1]:
                if flags[t, b]:
                    states = [torch.zeros(UNITS).double() for _ in states]
                entering = states[fed_back]
                if "recurrent_mask" in masks:
                    entering = masks["recurrent_mask"][b] * entering
                after = step(w_ih @ x[t, b] + b_ih, w_hh @ entering + b_hh, *states)
                for i, name in enumerate(cell.states):
                    if f"zoneout_{name}" in masks:
                        keeps = masks[f"zoneout_{name}"][t, b]
                        after[i] = keeps * states[i] + (1 - keeps) * after[i]
                states = after
                taken[t] = states[0]
            rows.append(torch.stack([taken.get(t, torch.zeros(UNITS).double()) for t in range(len(x))]))
            last.append(states)
        outputs.append(torch.stack(rows, 1))
        finals.append([torch.stack(of_kind) for of_kind in zip(*last, strict=True)])
    return torch.cat(outputs, -1), [torch.stack(of_kind) for of_kind in zip(*finals, strict=True)]


def gradients(results: list[Tensor], wanted: list[Tensor]) -> list[Tensor]:
    weighted = [(result * torch.linspace(-1, 1, result.numel()).view(result.shape)).sum() for result in results]
    found = torch.autograd.grad(torch.stack(weighted).sum(), wanted, allow_unused=True)
    return [torch.zeros_like(x) if d is None else d for x, d in zip(wanted, found, strict=True)]


@settings(max_examples=60)
@given(
    inside=st.sampled_from(sorted(INSIDE)),
    wrapped=st.sampled_from(sorted(WRAPPED)),
    form=st.sampled_from(["plain", "lengths", "resets", "both", "packed", "reversed too", "reversed too and lengths"]),
    sizes=st.tuples(st.integers(1, 5), st.integers(1, 4)),
    has_hx=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_wrapped_cells_do_what_their_loops_say(
    inside: str, wrapped: str, form: str, sizes: tuple[int, int], has_hx: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    (steps, batch), cell = sizes, WRAPPED[wrapped](INSIDE[inside][0])
    layer = elman.nn.Recurrent(cell, 2, UNITS, bidirectional="reversed" in form, dtype=torch.float64)
    x = torch.randn(steps, batch, 2, dtype=torch.float64, requires_grad=True)
    shape = (1 + layer.bidirectional, batch, UNITS)
    hx = [torch.rand(shape).double().sub(0.5).mul(has_hx).requires_grad_() for _ in cell.states]
    masks, options = masks_of(cell, steps, batch), {}
    ends, flags = [steps] * batch, torch.zeros(steps, batch, dtype=torch.bool)
    if "lengths" in form or form in ("both", "packed"):
        ends = torch.randint(1 if form == "packed" else 0, steps + 1, (batch,)).tolist()
    if "lengths" in form or form == "both":
        options["lengths"] = ends
    if form in ("resets", "both"):
        options["resets"] = flags = torch.rand(steps, batch) < 0.3
    state: Any = None if not has_hx else hx[0] if len(hx) == 1 else tuple(hx)
    if form == "packed":
        pack = {"lengths": torch.tensor(ends), "enforce_sorted": False}
        of_steps = {
            name: pack_padded_sequence(mask, **pack) if mask.dim() == 3 else mask for name, mask in masks.items()
        }
        output, final = layer(pack_padded_sequence(x, **pack), state, **of_steps)
        output, _ = pad_packed_sequence(output, total_length=steps)
    else:
        output, final = layer(x, state, **masks, **options)
    ours = [output, *states_of(final)]
    theirs_output, theirs_final = loop(layer, inside, x, masks, ends, flags, hx)
    theirs = [theirs_output, *theirs_final]
    wanted = [x, *masks.values(), *layer.parameters(), *hx * has_hx]
    for one, other in zip([*ours, *gradients(ours, wanted)], [*theirs, *gradients(theirs, wanted)], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("wrapped", ["zoneout of dropout", "dropout"])
def test_gradients_are_those_of_finite_differences(wrapped: str) -> None:
    torch.manual_seed(0)
    layer = elman.nn.Recurrent(WRAPPED[wrapped](LSTM()), 2, UNITS, bidirectional=True, dtype=torch.float64)
    x = torch.randn(3, 2, 2, dtype=torch.float64, requires_grad=True)
    hx = tuple(torch.randn(2, 2, UNITS, dtype=torch.float64, requires_grad=True) for _ in "hc")
    masks = {name: mask.detach() for name, mask in masks_of(layer.cell, 3, 2).items()}

    def run(x: Tensor, h: Tensor, c: Tensor, *_: Tensor) -> tuple[Tensor, ...]:
        output, final = layer(x, (h, c), **masks, lengths=[3, 2])
        return output, *final

    assert torch.autograd.gradcheck(run, (x, *hx, *layer.parameters()), fast_mode=True)
    assert torch.autograd.gradgradcheck(run, (x, *hx, *layer.parameters()), fast_mode=True)


def test_seeds_draw_the_same_masks_again_and_evaluation_draws_none() -> None:
    layer = elman.nn.Recurrent(RecurrentDropout(Zoneout(GRU(), 0.3), 0.5), 2, 8, 2)
    x = torch.randn(6, 3, 2)
    torch.manual_seed(3)
    first, second = layer(x)[0], layer(x)[0]
    torch.manual_seed(3)
    assert torch.equal(layer(x)[0], first)
    assert not torch.equal(first, second)
    layer.eval()
    state = torch.get_rng_state()
    assert torch.equal(layer(x)[0], layer(x)[0])
    assert torch.equal(torch.get_rng_state(), state)


def test_a_sequence_keeps_its_mask_and_others_have_others() -> None:
    class Entering(Cell):
        """Shows what enters W_hh, for the weights of the test are the identity."""

        states = ("seen", "h")
        fed_back = "h"

        def step(self, a: Any, h: Any) -> Any:
            return a.recurrent, 0 * h + 1.0

    layer = elman.nn.Recurrent(RecurrentDropout(Entering(), 0.5), 1, 64, bias=False)
    torch.nn.init.eye_(layer.weight_hh_l0)
    output, _ = layer(
        torch.randn(5, 2, 1), resets=[[False, False], [False, False], [True, False], [False] * 2, [False] * 2]
    )
    first, second = output[1]
    assert set(first.unique().tolist()) == {0.0, 2.0}
    assert not torch.equal(first, second)
    assert torch.equal(output[2, 0], torch.zeros(64))  # a reset: nothing was fed back
    assert torch.equal(output[3, 0], first)
    assert torch.equal(output[4, 1], second)


def test_zoned_out_units_keep_the_bits_of_their_former_value() -> None:
    layer = elman.nn.Recurrent(Zoneout(LSTM(), {"c": 0.5}), 2, 16)
    keeps = (torch.rand(5, 3, 16) < 0.5).float()
    _, _, ((_, c),) = layer(torch.randn(5, 3, 2), zoneout_c=keeps, return_states=True)
    assert torch.equal(c[1:][keeps[1:] == 1], c[:-1][keeps[1:] == 1])
    assert not (c[1:] == c[:-1])[keeps[1:] == 0].any()
    for p, other in ((0.0, LSTM()), (1.0, None)):
        layer = elman.nn.Recurrent(Zoneout(LSTM(), p), 2, 16)
        x = torch.randn(5, 3, 2)
        expected = torch.zeros(5, 3, 16)
        if other:
            plain = elman.nn.Recurrent(other, 2, 16)
            plain.load_state_dict(layer.state_dict())
            expected = plain(x)[0]
        assert torch.equal(layer(x)[0], expected)


def test_evaluation_takes_the_expected_value() -> None:
    torch.manual_seed(0)
    layer = elman.nn.Recurrent(Zoneout(RecurrentDropout(Elman("affine"), 0.3), 0.2), 2, 4, dtype=torch.float64)
    torch.nn.init.uniform_(layer.weight_hh_l0, -0.3, 0.3)
    x = torch.randn(3, 1, 2, dtype=torch.float64)
    with torch.no_grad():
        mean = layer(x.expand(3, 40_000, 2))[0].mean(1)  # of a linear cell the mean of all masks is that of the output
        torch.testing.assert_close(mean, layer.eval()(x)[0][:, 0], rtol=0, atol=0.02)


@pytest.mark.parametrize("wrapped", WRAPPED)
@pytest.mark.parametrize("inside", INSIDE)
def test_wrapped_cells_go_through_copies_and_pickles(inside: str, wrapped: str) -> None:
    cell = WRAPPED[wrapped](INSIDE[inside][0])
    for other in (copy.deepcopy(cell), pickle.loads(pickle.dumps(cell))):
        assert other.program == cell.program
        assert repr(other) == repr(cell)


def test_a_repr_says_how_a_cell_was_made() -> None:
    cell = Zoneout(cells.RateLeaky(cells.learned(0.3), "tanh", noise=0.1), {"h": 0.05})
    assert repr(cell) == "Zoneout(cell=RateLeaky(leak=learned(0.3), activation='tanh', noise=0.1), p={'h': 0.05})"
    assert repr(RecurrentDropout(GRU(), 0.5)) == "RecurrentDropout(cell=GRU(), p=0.5)"
    assert repr(Elman("elu", alpha=0.5)) == "Elman(activation='elu', alpha=0.5)"
    assert repr(cells.LayerNormLSTM()) == "LayerNormLSTM()"
    assert repr(cells.RateLeaky()) == "RateLeaky(leak=0.2)"


class Unknown(Voltage):
    fed_back = "u"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Zoneout(GRU, 0.1), "cell: expected a Cell, as in Zoneout(GRU(), 0.1), got <class"),
        (lambda: Zoneout(GRU(), 1.5), "p: expected a probability from 0 to 1, got 1.5"),
        (lambda: Zoneout(GRU(), float("nan")), "p: expected a probability from 0 to 1, got nan"),
        (lambda: Zoneout(GRU(), "a"), "p: expected a probability from 0 to 1, got 'a'"),
        (lambda: Zoneout(GRU(), {"c": 0.1}), "p: expected probabilities of the states h, got one of 'c'"),
        (lambda: Zoneout(Zoneout(GRU(), 0.1), 0.1), "cell: expected one that is given no zoneout_h yet, got Zoneout("),
        (lambda: RecurrentDropout(0.1, 0.1), "cell: expected a Cell, as in RecurrentDropout(GRU(), 0.1), got 0.1"),
        (lambda: RecurrentDropout(GRU(), -0.1), "p: expected a probability from 0 to 1, got -0.1"),
        (lambda: RecurrentDropout(GRU(), True), "p: expected a probability from 0 to 1, got True"),
        (
            lambda: RecurrentDropout(IndRNN(), 0.1),
            "cell: expected one that feeds its output back through W_hh, got Ind",
        ),
        (Unknown, "Unknown.fed_back: expected one of v, r, got 'u'"),
    ],
)
def test_what_cannot_be_wrapped_is_refused_in_one_line(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make()
