"""Sequences of several lengths in a padded batch, and resets within them: the bits of their parts run apart."""

import re
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import elman.nn
from tests.nn.cases import CELLS, kind, states_of
from tests.strategies import seeds, small_sizes

each_cell = pytest.mark.parametrize("cell", CELLS)


def grads(results: list[Tensor], leaves: list[Tensor]) -> list[Tensor]:
    torch.manual_seed(5)
    return [*torch.autograd.grad(results, leaves, [torch.randn_like(result) for result in results])]


@each_cell
@settings(max_examples=25)
@given(data=st.data())
def test_lengths_give_the_bits_of_the_packed_form(cell: str, data: st.DataObject) -> None:
    batch, steps = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 9))
    lengths = data.draw(st.lists(st.integers(0, steps), min_size=batch, max_size=batch).filter(any))
    batch_first, bidirectional = data.draw(st.booleans()), data.draw(st.booleans())
    layers = data.draw(st.integers(1, 3))
    torch.manual_seed(data.draw(seeds))
    layer = kind(elman.nn, cell)(
        data.draw(small_sizes),
        data.draw(small_sizes),
        layers,
        batch_first=batch_first,
        bidirectional=bidirectional,
        dropout=0.4 if layers > 1 else 0.0,
    )
    wide = torch.randn(steps, batch, 2 * layer.input_size)
    x = wide[..., ::2] if data.draw(st.booleans()) else wide[..., : layer.input_size].clone()
    x = (x.transpose(0, 1) if batch_first else x).requires_grad_()
    shape = layer.num_layers * (1 + bidirectional), batch, layer.hidden_size
    states = [torch.randn(shape).requires_grad_() for _ in range(1 + (cell == "lstm"))]
    has_hx, lasts = data.draw(st.booleans()), [i for i, length in enumerate(lengths) if length]

    def hx(of: Any) -> Any:
        return None if not has_hx else tuple(map(of, states)) if cell == "lstm" else of(states[0])

    torch.manual_seed(1)  # dropout's
    output, final = layer(x, hx(lambda state: state), lengths=lengths)
    torch.manual_seed(1)
    given = x[lasts] if batch_first else x[:, lasts]
    packing = pack_padded_sequence(given, torch.tensor(lengths)[lasts], batch_first, enforce_sorted=False)
    packed, expected_final = layer(packing, hx(lambda state: state[:, lasts]))
    expected, _ = pad_packed_sequence(packed, batch_first, total_length=steps)

    axis = 0 if batch_first else 1
    assert output.shape[axis] == batch
    found = [output.index_select(axis, torch.tensor(lasts)), *(state[:, lasts] for state in states_of(final))]
    wanted = [expected, *states_of(expected_final)]
    assert all(map(torch.equal, found, wanted))
    for i in set(range(batch)) - {*lasts}:
        assert not output.select(axis, i).any()
        for before, after in zip(states, states_of(final), strict=True):
            assert torch.equal(after[:, i], before[:, i] if has_hx else torch.zeros_like(before[:, i]))
    leaves = [x, *(states if has_hx else []), *layer.parameters()]
    assert all(map(torch.equal, grads(found, leaves), grads(wanted, leaves)))


@each_cell
@settings(max_examples=25)
@given(data=st.data())
def test_resets_give_the_bits_of_the_pieces_run_apart(cell: str, data: st.DataObject) -> None:
    batch, steps = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 9))
    flags = torch.tensor(data.draw(st.lists(st.booleans(), min_size=batch * steps, max_size=batch * steps)))
    flags = flags.view(steps, batch)
    lengths = data.draw(st.lists(st.integers(1, steps), min_size=batch, max_size=batch))
    torch.manual_seed(data.draw(seeds))
    layer = kind(elman.nn, cell)(data.draw(small_sizes), data.draw(small_sizes), 2)
    x = torch.randn(steps, batch, layer.input_size, requires_grad=True)
    states = [torch.randn(2, batch, layer.hidden_size, requires_grad=True) for _ in range(1 + (cell == "lstm"))]
    output, final = layer(x, tuple(states) if cell == "lstm" else states[0], resets=flags, lengths=lengths)
    for i, end in enumerate(lengths):
        begins = [0, *(t for t in range(1, end) if flags[t, i]), end]
        pieces = []
        for first, last in pairwise(begins):
            before: Any = tuple(state[:, i : i + 1] for state in states)
            hx = None if first or flags[0, i] else before if cell == "lstm" else before[0]
            piece, after = layer(x[first:last, i : i + 1], hx)
            pieces.append(piece)
        assert torch.equal(output[:end, i : i + 1], torch.cat(pieces))
        assert not output[end:, i].any()
        assert all(torch.equal(a[:, i : i + 1], b) for a, b in zip(states_of(final), states_of(after), strict=True))
    # none flows across a reset
    d_x, *d_states = torch.autograd.grad(output[lengths[0] - 1, 0].sum() + 0 * states_of(final)[0].sum(), [x, *states])
    last_reset = max([0, *(t for t in range(lengths[0]) if flags[t, 0])])
    assert not d_x[:last_reset].any()
    assert not d_x[:, 1:].any()
    assert not (flags[: lengths[0], 0].any() and any(d.any() for d in d_states))


@pytest.mark.parametrize("batch_first", [False, True])
@each_cell
def test_full_lengths_and_no_flag_are_the_plain_call(cell: str, batch_first: bool) -> None:
    layer = kind(elman.nn, cell)(5, 6, 2, batch_first=batch_first, dropout=0.5)
    x = torch.randn(3, 4, 5)
    found = []
    for asked in (
        {},
        {"lengths": [4 if batch_first else 3] * (3 if batch_first else 4)},
        {"resets": torch.zeros(3, 4) > 0},
    ):
        torch.manual_seed(2)
        output, final = layer(x, **asked)
        found.append([output, *states_of(final)])
        assert output.stride() == found[0][0].stride()
        assert all(map(torch.equal, found[0], found[-1]))


INTEGERS = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint16, torch.uint32, torch.uint64]


def test_lengths_are_taken_as_tensors_arrays_and_lists_of_any_integers() -> None:
    rnn, x = elman.nn.RNN(2, 3), torch.randn(5, 3, 2)
    expected = rnn(x, lengths=[4, 0, 2])[0]
    names = ["uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64"]
    given: list[Any] = [torch.tensor([4, 0, 2], dtype=dtype) for dtype in INTEGERS]
    given += [np.array([4, 0, 2], dtype=name) for name in names]
    given += [
        np.array([4, 0, 0, 0, 2])[::2],
        (4, 0, 2),
        [np.int8(4), 0, torch.tensor(2)],
        torch.tensor([[4], [0], [2]])[:, 0],
    ]
    for lengths in given:
        assert torch.equal(rnn(x, lengths=lengths)[0], expected), lengths
    for length in (4, np.int16(4), torch.tensor(4), np.array(4)):  # of an unbatched sequence
        assert torch.equal(rnn(x[:, 0], lengths=length)[0], expected[:, 0])
    assert rnn(x[:, :0], lengths=[])[0].shape == (5, 0, 3)


@pytest.mark.parametrize("batch_first", [False, True])
def test_resets_are_taken_as_tensors_of_any_strides_arrays_and_lists(batch_first: bool) -> None:
    rnn, x = elman.nn.RNN(2, 3, batch_first=batch_first), torch.randn(5, 3, 2)
    wide = torch.rand(5, 6, generator=torch.Generator().manual_seed(1)) < 0.4
    flags = wide[:, ::2].contiguous()
    expected = rnn(x, resets=flags)[0]
    assert not torch.equal(expected, rnn(x)[0])
    for resets in (wide[:, ::2], flags.T.contiguous().T, flags.numpy(), np.asfortranarray(flags), flags.tolist()):
        assert torch.equal(rnn(x, resets=resets)[0], expected)


@each_cell
def test_much_padding_is_zeros_and_every_row_the_same_on_any_number_of_threads(cell: str) -> None:
    layer, lengths = kind(elman.nn, cell)(32, 128), torch.arange(40).remainder(7)
    x = torch.randn(60, 40, 32, requires_grad=True)
    padding, before, found = torch.arange(60).unsqueeze(1) >= lengths, torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            output, _ = layer(x, lengths=lengths)
            assert not output[padding].any()
            assert not padding.logical_not().logical_and((output == 0).all(2)).any()
            found.append([output, *torch.autograd.grad(output.sum(), [x, *layer.parameters()])])
            assert not found[-1][1][padding].any()
    finally:
        torch.set_num_threads(before)
    assert all(map(torch.equal, *found))


@pytest.mark.parametrize(
    ("lengths", "words"),
    [
        ([1, 2], "lengths: expected integers (3,), one a sequence, got int64 (2,)"),
        (4, "lengths: expected integers (3,), one a sequence, got int64 ()"),
        ([[1, 2, 3]], "lengths: expected integers (3,), one a sequence, got int64 (1, 3)"),
        ([1, 2, -1], "lengths: expected 0 to 5, the steps of input, got -1"),
        ([1, 6, 2], "lengths: expected 0 to 5, the steps of input, got 6"),
        (np.array([2**64 - 1, 1, 1], np.uint64), f"lengths: expected 0 to 5, the steps of input, got {2**64 - 1}"),
        ([1, 2**70, 2], "lengths: expected integers (3,), one a sequence, got [1, 1180591620717411303424, 2]"),
        ([1.0, 2.0, 3.0], "lengths: expected integers (3,), one a sequence, got float64 (3,)"),
        (torch.tensor([1.0, 2.0, 3.0]), "lengths: expected integers (3,), one a sequence, got float32 (3,)"),
        (torch.ones(3) > 0, "lengths: expected integers (3,), one a sequence, got bool (3,)"),
        ([True, False, True], "lengths: expected integers (3,), one a sequence, got bool (3,)"),
        (["a", "b", "c"], "lengths: expected integers (3,), one a sequence, got ['a', 'b', 'c']"),
        ([[1], [1, 2], []], "lengths: expected integers (3,), one a sequence, got [[1], [1, 2], []]"),
        ({1, 2, 3}, "lengths: expected integers (3,), one a sequence, got {1, 2, 3}"),
        (
            torch.ones(3, dtype=torch.int64, device="meta"),
            "lengths: expected integers (3,), one a sequence, got a tensor on the meta device",
        ),
    ],
)
def test_other_lengths_are_refused_in_a_line(lengths: Any, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(words)}$"):
        elman.nn.RNN(2, 3)(torch.zeros(5, 3, 2), lengths=lengths)


@pytest.mark.parametrize(
    ("resets", "words"),
    [
        (torch.zeros(3, 5) > 0, "resets: expected booleans (steps, batch), (5, 3), got bool (3, 5)"),
        (torch.zeros(5, 3), "resets: expected booleans (steps, batch), (5, 3), got float32 (5, 3)"),
        (np.zeros((5, 3), int), "resets: expected booleans (steps, batch), (5, 3), got int64 (5, 3)"),
        ([[True]], "resets: expected booleans (steps, batch), (5, 3), got bool (1, 1)"),
        (True, "resets: expected booleans (steps, batch), (5, 3), got bool ()"),
        ("yes", "resets: expected booleans (steps, batch), (5, 3), got 'yes'"),
    ],
)
def test_other_resets_are_refused_in_a_line(resets: Any, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(words)}$"):
        elman.nn.RNN(2, 3)(torch.zeros(5, 3, 2), resets=resets)


def test_what_makes_no_sense_is_refused_in_a_line_that_says_why() -> None:
    x, packed = torch.zeros(5, 3, 2), pack_padded_sequence(torch.zeros(5, 3, 2), torch.tensor([5, 4, 3]))
    both, projected = elman.nn.GRU(2, 3, bidirectional=True), elman.nn.LSTM(2, 3, proj_size=1)
    for call, words in (
        (lambda: both(x, resets=torch.zeros(5, 3) > 0), "resets: expected a layer in one direction, for the reverse"),
        (lambda: both(packed, lengths=[5, 4, 3]), "lengths: expected padded input beside it, got a PackedSequence"),
        (
            lambda: elman.nn.RNN(2, 3)(packed, resets=[]),
            "resets: expected padded input beside it, got a PackedSequence",
        ),
        (lambda: projected(x, lengths=[5, 4, 3]), "proj_size: expected 0 with lengths, resets or return_states"),
        (lambda: elman.nn.LSTM(2, 3, proj_size=1, residual=True), "proj_size: expected 0 with residual=True"),
    ):
        with pytest.raises(ValueError, match=f"^{re.escape(words)}.*$"):
            call()


@each_cell
def test_sequences_of_no_steps_leave_the_states_as_they_were(cell: str) -> None:
    layer = kind(elman.nn, cell)(2, 3, 2, bidirectional=True)
    states = tuple(torch.randn(4, 5, 3, requires_grad=True) for _ in range(1 + (cell == "lstm")))
    for steps in (0, 4):
        x = torch.full((steps, 5, 2), torch.nan, requires_grad=True)
        output, final = layer(x, states if cell == "lstm" else states[0], lengths=[0] * 5)
        assert output.shape == (steps, 5, 6)
        assert not output.any()
        assert all(map(torch.equal, states_of(final), states))
        (output.sum() + sum(state.sum() for state in states_of(final))).backward()
        assert not x.grad.any()
        assert all(not weight.grad.any() for weight in layer.parameters())
        assert all((state.grad == 1).all() for state in states)
        for state in states:
            state.grad = None


@each_cell
def test_states_of_another_dtype_are_refused_by_name(cell: str) -> None:
    layer, x = kind(elman.nn, cell)(2, 3), torch.randn(4, 5, 2)
    state = torch.zeros(1, 5, 3, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"^h_0: expected torch\.float32, as the input, got torch\.float64$"):
        layer(x, (state, state) if cell == "lstm" else state, lengths=[0, 1, 2, 3, 4])
