"""Guarantee 3: one output element is always the same operations in the same order.

``elman`` is held to it over many shapes; ``torch.nn`` fails it at one shape each, which shows that the tests can
fail.
"""

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, unpack_sequence

import elman.nn
from tests.nn.cases import (
    CELLS,
    LAYOUTS,
    Case,
    assert_same_bits,
    kind,
    laid_out,
    named_results,
    run,
    states_of,
)
from tests.strategies import cases, partitions, seeds, sizes

Pair = tuple[Tensor, Tensor]

layers = st.builds(
    Case,
    input_size=sizes,
    hidden_size=sizes,
    num_layers=st.integers(1, 2),
    cell=st.sampled_from(list(CELLS)),
    bias=st.booleans(),
    bidirectional=st.booleans(),
    dtype=st.sampled_from(["float32", "float32", "float64"]),
    seed=seeds,
)
# Which of these torch fails at depends on the processor and on the way; it fails each way at some.
TORCH_FAILS_AT = [
    (Case(input_size=input_size, hidden_size=hidden_size), batch)
    for input_size, hidden_size in [(10, 20), (40, 100), (100, 130), (128, 256), (300, 64)]
    for batch in (1, 2, 7, 33)
]
each_class = pytest.mark.parametrize("cell", ["tanh", "gru", "lstm"])


def numbers(case: Case, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(case.seed + shape[0])
    return torch.randn(shape, generator=generator, dtype=case.torch_dtype)


def states(case: Case, batch: int) -> Any:
    one, other = (numbers(case, *replace(case, lengths=(1,) * batch).shape_of_states) * scale for scale in (1, 0.5))
    return (one, other) if case.cell == "lstm" else one


def each(function: Callable[[Tensor], Tensor], final: Any) -> Any:
    """Of a state, or of both."""
    return tuple(map(function, final)) if isinstance(final, tuple) else function(final)


def flat(output: Tensor, final: Any) -> Tensor:
    return torch.cat([x.flatten() for x in (output, *states_of(final))])


def cell_of(nn: ModuleType, case: Case, layer: torch.nn.RNNBase) -> Any:
    """The cell with the weights of a layer's first layer and direction."""
    cell = kind(nn, case.cell, "Cell")(case.input_size, case.hidden_size, case.bias)
    cell.to(layer.weight_ih_l0.dtype)
    state = layer.state_dict()
    cell.load_state_dict({name.removesuffix("_l0"): state[name] for name in [k for k in state if k.endswith("_l0")]})
    return cell


# What is the same: each gives two ways to the same numbers.


def alone_and_in_a_batch(case: Case, nn: ModuleType, steps: int, batch: int) -> Pair:
    layer, input = case.layer(nn), numbers(case, steps, batch, case.input_size)
    hx, row = states(case, batch), batch // 2
    together = layer(input, hx)
    alone = layer(input[:, row : row + 1], each(lambda x: x[:, row : row + 1], hx))
    return flat(together[0][:, row], each(lambda x: x[:, row], together[1])), flat(*alone)


def unbatched_and_in_a_batch(case: Case, nn: ModuleType, steps: int, batch: int) -> Pair:
    layer, input = case.layer(nn), numbers(case, steps, batch, case.input_size)
    return layer(input)[0][:, 0], layer(input[:, 0])[0]


def whole_and_one_step_at_a_time(case: Case, nn: ModuleType, steps: int, batch: int) -> Pair:
    return whole_and_in_parts(case, nn, batch, [1] * steps)


def whole_and_in_parts(case: Case, nn: ModuleType, batch: int, parts: list[int]) -> Pair:
    layer = replace(case, bidirectional=False).layer(nn)
    input, final, outputs = numbers(case, sum(parts), batch, case.input_size), None, []
    for part in input.split(parts):
        output, final = layer(part, final)
        outputs.append(output)
    return flat(*layer(input)), flat(torch.cat(outputs), final)


def layer_and_loop_of_cells(case: Case, nn: ModuleType, steps: int, batch: int) -> Pair:
    case = replace(case, bidirectional=False, num_layers=1)
    layer, input, state, outputs = case.layer(nn), numbers(case, steps, batch, case.input_size), None, []
    cell = cell_of(nn, case, layer)
    for x in input:
        state = cell(x, state)
        outputs.append(states_of(state)[0])
    return flat(*layer(input)), flat(torch.stack(outputs), state)


def packed_and_each_row_alone(case: Case, nn: ModuleType, steps: int, batch: int) -> Pair:
    layer, input = case.layer(nn), numbers(case, steps, batch, case.input_size)
    lengths = torch.tensor([1 + (case.seed + 3 * row) % steps for row in range(batch)])
    output, final = layer(pack_padded_sequence(input, lengths, enforce_sorted=False))
    alone = [layer(input[:length, row]) for row, length in enumerate(lengths)]
    rows = [flat(o, each(lambda x, row=row: x[:, row], final)) for row, o in enumerate(unpack_sequence(output))]
    return torch.cat(rows), torch.cat([flat(*found) for found in alone])


WAYS = [
    alone_and_in_a_batch,
    unbatched_and_in_a_batch,
    whole_and_one_step_at_a_time,
    layer_and_loop_of_cells,
    packed_and_each_row_alone,
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("needs_gradients", [False, True])
@settings(max_examples=40)
@given(case=layers, steps=st.integers(1, 9), batch=st.integers(1, 20))
def test_both_ways_give_the_same_bits(
    way: Callable[..., Pair], needs_gradients: bool, case: Case, steps: int, batch: int
) -> None:
    with torch.set_grad_enabled(needs_gradients):
        one, other = way(case, elman.nn, steps, batch)
    assert torch.equal(one, other)


@each_class
@pytest.mark.parametrize("way", WAYS)
def test_torch_gives_other_bits_the_other_way_at_some_shapes(way: Callable[..., Pair], cell: str) -> None:
    differing = 0
    for threads in (1, 2):  # on Zen 5, of an LSTM whole and step by step, on two threads alone
        torch.set_num_threads(threads)
        for case, batch in TORCH_FAILS_AT:
            one, other = way(replace(case, cell=cell), torch.nn, 20, batch)
            torch.testing.assert_close(one, other, rtol=0, atol=1e-5)
            differing += not torch.equal(one, other)
        if differing > 0:
            return
    pytest.fail("the same bits at each")


@each_class
@pytest.mark.parametrize("way", WAYS)
def test_both_ways_give_the_same_bits_at_these_shapes_too(way: Callable[..., Pair], cell: str) -> None:
    for case, batch in TORCH_FAILS_AT:
        one, other = way(replace(case, cell=cell), elman.nn, 20, batch)
        assert torch.equal(one, other)


@settings(max_examples=60)
@given(layers, st.integers(1, 12), st.data())
def test_a_sequence_cut_anywhere_gives_the_same_bits(case: Case, batch: int, data: st.DataObject) -> None:
    parts = data.draw(partitions(data.draw(st.integers(1, 40))))
    one, other = whole_and_in_parts(case, elman.nn, batch, parts)
    assert torch.equal(one, other)


@settings(max_examples=60)
@given(cases(dropout=False))
def test_batch_first_any_strides_and_a_needless_hx_of_zeros_change_no_bit(case: Case) -> None:
    def outputs(layer: Any, input: Any, hx: Any) -> dict[str, Tensor]:
        found = named_results(*layer(input, hx))
        if layer.batch_first and case.form == "batched":
            found["output"] = found["output"].transpose(0, 1)
        return found

    _, input, hx = case.arguments()
    first = outputs(case.layer(elman.nn), input, hx)
    c_n = "c_n" in first
    zeros = torch.zeros_like(first["h_n"])
    plain_hx = each(lambda x: x.clone().contiguous(), hx if hx is not None else (zeros,) * 2 if c_n else zeros)
    if case.form.startswith("packed"):
        other, plain = case, input._replace(data=input.data.clone().contiguous())
    else:
        other = replace(case, batch_first=not case.batch_first)
        plain = (input.transpose(0, 1) if case.form == "batched" else input).clone().contiguous()
    assert_same_bits(outputs(other.layer(elman.nn), plain, plain_hx), first)


@settings(max_examples=60)
@given(cases())
def test_no_hx_is_an_hx_of_zeros_for_gradients_too(case: Case) -> None:
    without = run(replace(case, hx_layout=None), elman.nn)
    zeros = run(replace(case, hx_layout="zeros"), elman.nn)
    assert_same_bits({name: zeros[name] for name in without}, without)


@settings(max_examples=30)
@given(layers, st.integers(1, 9), st.integers(1, 20))
def test_a_layer_without_biases_is_one_with_biases_of_zero(case: Case, steps: int, batch: int) -> None:
    without, with_zeros = replace(case, bias=False).layer(elman.nn), replace(case, bias=True).layer(elman.nn)
    for name, parameter in with_zeros.named_parameters():
        value = torch.zeros(()) if name.startswith("bias") else without.state_dict()[name]
        parameter.data = value.expand(parameter.shape).clone().to(parameter.dtype)
    input = numbers(case, steps, batch, case.input_size)
    assert_same_bits({"output": with_zeros(input)[0]}, {"output": without(input)[0]})


@settings(max_examples=30)
@given(layers, st.integers(1, 9), st.integers(1, 20))
def test_two_directions_are_two_layers(case: Case, steps: int, batch: int) -> None:
    both = replace(case, bidirectional=True, num_layers=1).layer(elman.nn)
    one = replace(case, bidirectional=False, num_layers=1).layer(elman.nn)
    input, hidden = numbers(case, steps, batch, case.input_size), case.hidden_size
    output, final = both(input)
    for direction, suffix in enumerate(["", "_reverse"]):
        one.load_state_dict({k: both.state_dict()[k + suffix] for k in one.state_dict()})
        alone, alone_final = one(input.flip(0) if direction else input)
        alone = alone.flip(0) if direction else alone
        of_direction = each(lambda x, direction=direction: x[direction], final)
        assert torch.equal(
            flat(output[..., direction * hidden :][..., :hidden], of_direction), flat(alone, alone_final)
        )


# Threads.


def results_by_threads(case: Case, nn: ModuleType) -> list[dict[str, Tensor]]:
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found.append(run(case, nn))
    return found


@settings(max_examples=60)
@given(cases())
def test_any_number_of_threads_gives_the_same_bits_and_gradients(case: Case) -> None:
    assert_same_bits(*results_by_threads(case, elman.nn))


LARGE_SHAPES = {
    "many rows": Case(input_size=30, hidden_size=70, lengths=(20,) * 130),
    "many steps": Case(input_size=9, hidden_size=33, lengths=(700,) * 9, bidirectional=True),
    "many units": Case(input_size=100, hidden_size=300, lengths=(5,) * 33),
    "one row": Case(input_size=1024, hidden_size=1024, lengths=(5,)),
    "weights of 8 MB": Case(input_size=5, hidden_size=1450, lengths=(2,) * 40),
    "ragged": Case(
        input_size=40, hidden_size=128, num_layers=2, form="packed unsorted", lengths=tuple(range(1, 60)), dropout=0.2
    ),
    "float64": Case(input_size=30, hidden_size=70, lengths=(20,) * 130, dtype="float64"),
}
LARGE = {
    f"{name}, {cell}": replace(case, cell=cell)
    for name, case in LARGE_SHAPES.items()
    for cell in ("tanh", "gru", "lstm")
}


@pytest.mark.parametrize("case", LARGE.values(), ids=LARGE)
def test_any_number_of_threads_gives_large_layers_the_same_bits_and_gradients(case: Case) -> None:
    assert_same_bits(*results_by_threads(case, elman.nn))


def test_torch_gives_other_bits_with_another_number_of_threads() -> None:
    one, two = results_by_threads(LARGE["one row, tanh"], torch.nn)
    with pytest.raises(AssertionError, match="differs in some bit"):
        assert_same_bits(one, two)


@pytest.mark.parametrize("case", LARGE.values(), ids=LARGE)
def test_gradients_are_the_same_from_run_to_run(case: Case) -> None:
    first = run(case, elman.nn)
    for _ in range(3):
        assert_same_bits(run(case, elman.nn), first)


@settings(max_examples=40)
@given(layers, st.sampled_from(LAYOUTS), st.integers(1, 9), st.integers(1, 9))
def test_strides_of_a_weight_change_no_bit(case: Case, layout: str, steps: int, batch: int) -> None:
    layer, input = case.layer(elman.nn), numbers(case, steps, batch, case.input_size)
    for parameter in layer.parameters():
        generator = torch.Generator().manual_seed(1)
        parameter.data = laid_out(tuple(parameter.shape), layout, generator, parameter.dtype)[1].data
    strided = flat(*layer(input))
    for parameter in layer.parameters():
        parameter.data = parameter.data.clone(memory_format=torch.contiguous_format)
    assert torch.equal(strided, flat(*layer(input)))


# The order itself.


def fused_multiply_add(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """float32(a * b + c), rounded once, of float32 tensors.

    The product is exact in float64. Their sum is rounded to odd (its last bit set where it is inexact), after
    which rounding to float32 is right.
    """
    product, c = a.double() * b.double(), c.double()
    total = product + c
    part = total - product
    rest = (product - (total - part)) + (c - part)
    bits = total.view(torch.int64)
    towards_zero = (rest != 0) & ((rest < 0) == (total > 0))
    bits = bits - towards_zero.long()
    bits = torch.where(rest != 0, bits | 1, bits)
    return bits.view(torch.float64).float()


def product_in_order(x: Tensor, weight: Tensor) -> Tensor:
    """x W^T in float32: blocks of 16, each a chain of fused multiply-adds from zero, added in order."""
    total = torch.zeros(x.shape[0], weight.shape[0])
    for first in range(0, x.shape[1], 16):
        block = torch.zeros_like(total)
        for k in range(first, min(first + 16, x.shape[1])):
            block = fused_multiply_add(x[:, k, None].expand_as(block), weight[:, k].expand_as(block), block)
        total = total + block
    return total


@settings(max_examples=60)
@given(sizes, sizes, st.integers(1, 9), seeds)
def test_a_relu_step_is_the_sum_in_the_order_that_the_guarantee_writes(
    input_size: int, hidden_size: int, batch: int, seed: int
) -> None:
    case = Case(input_size=input_size, hidden_size=hidden_size, seed=seed, cell="relu")
    layer = case.layer(elman.nn)
    x, h = numbers(case, batch, input_size), numbers(case, batch, hidden_size)
    with torch.no_grad():
        output, _ = layer(x[None], h[None])
        u, v = product_in_order(x, layer.weight_ih_l0), product_in_order(h, layer.weight_hh_l0)
        expected = ((u + (layer.bias_ih_l0 + layer.bias_hh_l0)) + v).relu()
    assert torch.equal(output[0], expected)


def test_torch_adds_in_another_order() -> None:
    case = Case(input_size=40, hidden_size=100, cell="relu")
    layer, x, h = case.layer(torch.nn), numbers(case, 7, 40), numbers(case, 7, 100)
    with torch.no_grad():
        u, v = product_in_order(x, layer.weight_ih_l0), product_in_order(h, layer.weight_hh_l0)
        expected = ((u + (layer.bias_ih_l0 + layer.bias_hh_l0)) + v).relu()
        assert not torch.equal(layer(x[None], h[None])[0][0], expected)


def test_the_fused_multiply_add_of_these_tests_rounds_once() -> None:
    import fractions
    import math

    a, b, c = torch.randn(3, 3000)
    c = torch.where(torch.arange(3000) % 3 == 0, -(a * b), c)  # cancellation
    found = fused_multiply_add(a, b, c)
    for x, y, z, result in zip(a.tolist(), b.tolist(), c.tolist(), found.tolist(), strict=True):
        exact = fractions.Fraction(x) * fractions.Fraction(y) + fractions.Fraction(z)
        above = torch.nextafter(torch.tensor(result), torch.tensor(math.inf)).item()
        below = torch.nextafter(torch.tensor(result), torch.tensor(-math.inf)).item()
        error = abs(exact - fractions.Fraction(result))
        assert error <= abs(exact - fractions.Fraction(above))
        assert error <= abs(exact - fractions.Fraction(below))


@each_class
def test_padded_rows_and_packed_rows_are_the_same_bits_up_to_their_length(cell: str) -> None:
    layer, input = Case(input_size=40, hidden_size=100, cell=cell).layer(elman.nn), torch.randn(30, 9, 40)
    lengths = torch.tensor([30, 28, 28, 20, 11, 9, 4, 2, 1])
    padded, _ = layer(input)
    unpacked, _ = pad_packed_sequence(layer(pack_padded_sequence(input, lengths))[0])
    for row, length in enumerate(lengths):
        assert torch.equal(padded[:length, row], unpacked[:length, row])
