"""The numbers are torch.nn's, and those of the equations."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings

import elman.nn
from tests.nn.cases import (
    CELLS,
    Case,
    assert_same_numbers,
    by_the_equations,
    data_of,
    gradients,
    kind,
    named_results,
    run,
    states_of,
)
from tests.strategies import cases, frozen_cases


@settings(max_examples=150)
@given(cases())
def test_outputs_and_gradients_are_those_of_torch(case: Case) -> None:
    assert_same_numbers(run(case, elman.nn), run(case, torch.nn))


@settings(max_examples=80)
@given(cases(dropout=False))
def test_outputs_and_gradients_are_those_of_the_equations_in_float64(case: Case) -> None:
    ours = run(case, elman.nn)
    exact = replace(case, dtype="float64")
    layer = exact.layer_of_torch()
    layer.load_state_dict(case.layer_of_torch().state_dict())
    leaves, input, hx = exact.arguments()
    if case.dtype == "float32":
        with torch.no_grad():
            for leaf in leaves.values():
                leaf.copy_(leaf.float())
    results = named_results(*by_the_equations(layer, input, hx))
    results |= gradients(exact, results, leaves | dict(layer.named_parameters()))
    assert_same_numbers(ours, results)


@settings(max_examples=80)
@given(frozen_cases())
def test_any_subset_of_input_hx_and_weights_may_need_gradients(drawn: tuple[Case, frozenset[str]]) -> None:
    case, frozen = drawn
    ours, theirs = run(case, elman.nn, frozen), run(case, torch.nn, frozen)
    assert {k: v.requires_grad for k, v in ours.items()} == {k: v.requires_grad for k, v in theirs.items()}
    assert_same_numbers(ours, theirs)


@settings(max_examples=50)
@given(cases())
def test_strides_dtypes_and_the_need_of_gradients_are_those_of_torch(case: Case) -> None:
    def seen(nn) -> list:
        _, input, hx = case.arguments()
        output, final = case.layer(nn)(input, hx)
        looked_at = [
            (x.shape, x.dtype, x.stride(), x.is_contiguous(), x.requires_grad, x.is_leaf, x.device, x.layout)
            for x in (data_of(output), *states_of(final))
        ]
        return [type(output), type(final), *looked_at]

    assert seen(elman.nn) == seen(torch.nn)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(
    ("steps", "batch", "input_size", "hidden_size"),
    [(30, 1, 40, 100), (20, 33, 64, 128), (10, 16, 1, 300), (6, 65, 257, 131), (100, 2, 5, 17), (4, 3, 300, 200)],
)
def test_larger_layers_give_the_numbers_of_torch(
    steps: int, batch: int, input_size: int, hidden_size: int, bidirectional: bool, cell: str
) -> None:
    case = Case(
        input_size=input_size,
        hidden_size=hidden_size,
        num_layers=2,
        cell=cell,
        bidirectional=bidirectional,
        lengths=(steps,) * batch,
    )
    assert_same_numbers(run(case, elman.nn), run(case, torch.nn), units=128)


def test_a_bidirectional_layer_gives_the_literal_numbers_of_the_tutorial() -> None:
    torch.manual_seed(42)
    layer = elman.nn.RNN(2, 3, bidirectional=True)
    output, h_n = layer(torch.rand(3, 1, 2))
    expected = [
        [[0.3936, 0.7608, -0.1589, -0.0829, 0.1864, -0.5768]],
        [[0.1960, 0.6819, -0.0645, 0.1314, 0.1977, -0.5505]],
        [[0.3993, 0.7820, -0.0925, -0.2763, 0.5750, -0.3795]],
    ]
    torch.testing.assert_close(output, torch.tensor(expected), rtol=0, atol=5e-5)
    torch.testing.assert_close(
        h_n, torch.tensor([[[0.3993, 0.7820, -0.0925]], [[-0.0829, 0.1864, -0.5768]]]), rtol=0, atol=5e-5
    )


def test_three_steps_computed_by_hand_are_the_layers() -> None:
    layer = elman.nn.RNN(1, 2)
    weights = {"weight_ih_l0": [[1.0], [-1.0]], "weight_hh_l0": [[0.5, 0.0], [0.25, -0.5]]}
    weights |= {"bias_ih_l0": [0.125, 0.0], "bias_hh_l0": [0.0, 0.25]}
    layer.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
    output, h_n = layer(torch.tensor([[1.0], [0.0], [-2.0]]))
    h = (0.0, 0.0)
    for t, x in enumerate([1.0, 0.0, -2.0]):
        h = (math.tanh(x + 0.125 + 0.5 * h[0]), math.tanh(-x + 0.25 + 0.25 * h[0] - 0.5 * h[1]))
        assert output[t].tolist() == pytest.approx(h, abs=2e-7)
    assert h_n.tolist() == [output[2].tolist()]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("strange", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", ["input", "hx", "weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"])
def test_nan_and_infinity_pass_through_as_in_torch(place: str, strange: float, cell: str, dtype: torch.dtype) -> None:
    def results(nn) -> dict[str, torch.Tensor]:
        torch.manual_seed(1)
        layer = kind(nn, cell)(3, 20, dtype=dtype)
        leaves = dict(layer.named_parameters())
        leaves["input"] = torch.randn(4, 3, 3, dtype=dtype, requires_grad=True)
        leaves["hx"] = torch.randn(1, 3, 20, dtype=dtype, requires_grad=True)
        with torch.no_grad():
            leaves[place].view(-1)[1] = strange
        found = named_results(*layer(leaves["input"], (leaves["hx"],) * 2 if cell == "lstm" else leaves["hx"]))
        grads = torch.autograd.grad(sum(x.sum() for x in found.values()), list(leaves.values()))
        return found | dict(zip(leaves, grads, strict=True))

    assert_same_numbers(results(elman.nn), results(torch.nn))


@pytest.mark.parametrize("cell", CELLS)
def test_an_incoming_gradient_of_nan_or_infinity_passes_as_in_torch(cell: str) -> None:
    def results(nn) -> dict[str, torch.Tensor]:
        torch.manual_seed(2)
        layer = kind(nn, cell)(3, 20)
        input = torch.randn(5, 2, 3, requires_grad=True)
        output, _ = layer(input)
        d_output = torch.randn_like(output)
        d_output[3, 0, 4], d_output[2, 1, 7] = math.nan, math.inf
        grads = torch.autograd.grad(output, [input, *layer.parameters()], d_output)
        return {str(i): g for i, g in enumerate(grads)}

    assert_same_numbers(results(elman.nn), results(torch.nn))


def test_relu_at_exactly_zero_passes_no_gradient_as_in_torch() -> None:
    def results(nn) -> dict[str, torch.Tensor]:
        torch.manual_seed(3)
        layer = nn.RNN(3, 4, nonlinearity="relu", bias=False)
        input = torch.zeros(5, 2, 3, requires_grad=True)
        output, h_n = layer(input)
        grads = torch.autograd.grad(output.sum() + h_n.sum(), [input, *layer.parameters()])
        return {"output": output, "h_n": h_n, **{str(i): g for i, g in enumerate(grads)}}

    ours = results(elman.nn)
    assert_same_numbers(ours, results(torch.nn))
    assert all(not result.any() for result in ours.values())


@pytest.mark.parametrize("flush", [False, True])
@pytest.mark.parametrize("threads", [1, 2])
def test_denormals_are_kept_or_flushed_as_the_caller_asks(flush: bool, threads: int) -> None:
    torch.set_num_threads(threads)
    assert torch.set_flush_denormal(flush)
    layer = elman.nn.RNN(1, 1, nonlinearity="relu", bias=False)
    with torch.no_grad():
        layer.weight_ih_l0.fill_(0.25)
        layer.weight_hh_l0.zero_()
    smallest_normal = torch.finfo(torch.float32).tiny
    output, _ = layer(torch.full((3, 64, 1), smallest_normal))
    bits = output.view(torch.int32)  # comparisons would flush what they compare
    torch.set_flush_denormal(False)
    assert bits.unique().tolist() == ([0] if flush else [2**21])


def test_flushing_denormals_outlives_no_call() -> None:
    layer = elman.nn.RNN(4, 4)
    layer(torch.randn(3, 2, 4))[0].sum().backward()
    assert (torch.tensor(1e-40) * 1).view(torch.int32).item() != 0
