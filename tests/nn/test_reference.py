"""The specification is PyTorch's layer, and its written-out backward is autograd's."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from elman import reference
from tests.nn.cases import Case, assert_same_numbers, by_the_equations, gradients, named_results, run
from tests.strategies import cases


@settings(max_examples=50)
@given(cases(dropout=False))
def test_the_equations_are_the_layer_of_torch(case: Case) -> None:
    layer = case.layer_of_torch()
    leaves, input, hx = case.arguments()
    results = named_results(*by_the_equations(layer, input, hx))
    results |= gradients(case, results, leaves | dict(layer.named_parameters()))
    assert_same_numbers(results, run(case, torch.nn))


def a_layer_with_ragged_rows(bidirectional: bool, nonlinearity: str) -> tuple[torch.nn.RNN, list[int], torch.Tensor]:
    torch.manual_seed(7)
    layer = torch.nn.RNN(4, 6, bidirectional=bidirectional, nonlinearity=nonlinearity, dtype=torch.float64)
    return layer, [3, 7, 1, 7, 4], torch.randn(7, 5, 4, dtype=torch.float64)


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("packed", [True, False])
def test_the_written_out_backward_is_autograds_for_ragged_unsorted_bidirectional_input(
    nonlinearity: str, packed: bool
) -> None:
    layer, lengths, padded = a_layer_with_ragged_rows(True, nonlinearity)
    order = torch.tensor(lengths).argsort(descending=True)
    pack = torch.nn.utils.rnn.pack_padded_sequence(padded, torch.tensor(lengths), enforce_sorted=False)
    input, batch_sizes = (pack.data, pack.batch_sizes) if packed else (padded, None)
    input = input.clone().requires_grad_()
    hx = torch.randn(2, 5, 6, dtype=torch.float64)[:, order].requires_grad_()
    outputs, h_ns, by_hand = [], [], []
    for reverse, (w_ih, w_hh, b_ih, b_hh) in enumerate(layer.all_weights):
        manner = {"cell": nonlinearity, "reverse": bool(reverse)}
        output, h_n = reference.layer(input, batch_sizes, hx[reverse], None, w_ih, w_hh, b_ih, b_hh, **manner)
        outputs.append(output)
        h_ns.append(h_n)
        by_hand.append(
            lambda g, d_h, o=output, w=(w_ih, w_hh), h=hx[reverse], m=manner: reference.layer_backward(
                g, d_h, o, input, batch_sizes, h, *w, **m
            )
        )
    output, h_n = torch.cat(outputs, -1), torch.stack(h_ns)
    d_output, d_h_n = torch.randn_like(output), torch.randn_like(h_n)
    wanted = [input, hx, *layer.parameters()]
    by_autograd = torch.autograd.grad([output, h_n], wanted, [d_output, d_h_n])
    parts = [f(d_output[..., 6 * k : 6 * k + 6], d_h_n[k]) for k, f in enumerate(by_hand)]
    found = [parts[0][0] + parts[1][0], torch.stack([part[1] for part in parts])]
    for _, _, d_weight_ih, d_weight_hh, d_bias in parts:
        found += [d_weight_ih, d_weight_hh, d_bias, d_bias]
    for ours, autograds in zip(found, by_autograd, strict=True):
        torch.testing.assert_close(ours, autograds, rtol=1e-13, atol=1e-13)


@given(st.integers(0, 2**31))
def test_a_missing_initial_state_and_missing_biases_count_as_zeros(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    input, w_ih, w_hh = (torch.randn(s, generator=generator) for s in [(4, 2, 3), (5, 3), (5, 5)])
    manner = {"cell": "tanh", "reverse": False}
    without = reference.layer(input, None, None, None, w_ih, w_hh, None, None, **manner)
    with_zeros = reference.layer(
        input, None, torch.zeros(2, 5), None, w_ih, w_hh, torch.zeros(5), torch.zeros(5), **manner
    )
    for a, b in zip(without, with_zeros, strict=True):
        assert torch.equal(a, b)


def test_relu_passes_no_gradient_where_the_state_is_zero_and_all_of_it_where_it_is_nan() -> None:
    output = torch.tensor([[[0.0, 2.0, float("nan")]]])
    d_bias = reference.layer_backward(
        torch.ones(1, 1, 3),
        torch.zeros(1, 3),
        output,
        torch.zeros(1, 1, 3),
        None,
        None,
        torch.zeros(3, 3),
        torch.zeros(3, 3),
        cell="relu",
        reverse=False,
    )[-1]
    assert d_bias.tolist() == [0.0, 1.0, 1.0]
