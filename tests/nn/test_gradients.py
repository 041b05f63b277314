"""Autograd's manners: checks in float64, second derivatives, retained and repeated backward, saved tensors."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.func import functional_call
from torch.nn.utils.rnn import pack_padded_sequence

import elman.nn
from tests.nn.cases import CELLS, assert_same_bits, assert_same_numbers, kind, named_results, states_of

BOTH = [torch.nn, elman.nn]


def as_function(layer: torch.nn.Module, packing: Any = None) -> Callable[..., tuple[Tensor, ...]]:
    """A function of (input, states, *parameters), all tensors."""
    names = [name for name, _ in layer.named_parameters()]
    two = isinstance(layer, torch.nn.LSTM | torch.nn.LSTMCell)

    def f(input: Tensor, h: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        given = input if packing is None else packing._replace(data=input)
        hx, weights = ((h, tensors[0]), tensors[1:]) if two else (h, tensors)
        result = functional_call(layer, dict(zip(names, weights, strict=True)), (given, hx))
        if isinstance(layer, torch.nn.RNNCellBase):
            return states_of(result)
        return tuple(named_results(*result).values())

    return f


def tiny(cell: str, form: str) -> tuple[Callable[..., tuple[Tensor, ...]], list[Tensor]]:
    """A tiny layer in float64 as a function, and its arguments."""
    torch.manual_seed(5)
    states = 2 if cell == "lstm" else 1
    if form == "cell":
        layer = kind(elman.nn, cell, "Cell")(2, 3, dtype=torch.float64)
        f, shapes = as_function(layer), [(2, 2), *[(2, 3)] * states]
    else:
        layer = kind(elman.nn, cell)(2, 2, 2, bidirectional=True, batch_first=True, dtype=torch.float64)
        packing = pack_padded_sequence(torch.zeros(2, 2, 1), torch.tensor([1, 2]), enforce_sorted=False)
        f = as_function(layer, packing if form == "packed" else None)
        shapes = [(3, 2) if form == "packed" else (2, 2, 2), *[(4, 2, 2)] * states]
    leaves = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    return f, [*leaves, *(p.detach().clone().requires_grad_() for p in layer.parameters())]


@pytest.mark.filterwarnings("ignore:Please use `torch.vmap` instead:FutureWarning")  # of PyTorch 2.4, to itself
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("form", ["padded", "packed", "cell"])
def test_gradients_pass_gradcheck(form: str, cell: str) -> None:
    f, arguments = tiny(cell, form)
    assert gradcheck(f, arguments, check_undefined_grad=True, check_batched_grad=True)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("form", ["padded", "packed", "cell"])
def test_second_derivatives_pass_gradgradcheck(form: str, cell: str) -> None:
    f, arguments = tiny(cell, form)
    assert gradgradcheck(f, arguments, fast_mode=form != "cell")


def gradient_of_a_gradient(nn: ModuleType, cell: str) -> dict[str, Tensor]:
    torch.manual_seed(6)
    dtype = (
        torch.float64 if cell == "lstm" else torch.float32
    )  # PyTorch's own LSTM has no second derivatives in float32
    layer = kind(nn, cell)(3, 20, 2, dtype=dtype)
    leaves = {"input": torch.randn(5, 4, 3, dtype=dtype), "hx": torch.randn(2, 4, 20, dtype=dtype)}
    for leaf in leaves.values():
        leaf.requires_grad_()
    leaves |= dict(layer.named_parameters())
    hx = (leaves["hx"], leaves["hx"]) if cell == "lstm" else leaves["hx"]
    output, *final = named_results(*layer(leaves["input"], hx)).values()
    loss = output.square().sum() + sum(x.sin().sum() for x in final)
    first = torch.autograd.grad(loss, list(leaves.values()), create_graph=True)
    penalty = sum(g.square().sum() for g in first)
    second = torch.autograd.grad(penalty, list(leaves.values()))
    return dict(zip(leaves, second, strict=True)) | {f"first {i}": g for i, g in enumerate(first)}


@pytest.mark.parametrize("cell", CELLS)
def test_a_gradient_penalty_trains_as_with_torch(cell: str) -> None:
    ours, theirs = (gradient_of_a_gradient(nn, cell) for nn in (elman.nn, torch.nn))
    assert_same_numbers(ours, theirs, units=256)


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_are_equal_with_and_without_create_graph(cell: str) -> None:
    layer = kind(elman.nn, cell)(3, 20)
    input = torch.randn(5, 4, 3, requires_grad=True)
    output, _ = layer(input)
    wanted = [input, *layer.parameters()]
    plain = torch.autograd.grad(output.square().sum(), wanted, retain_graph=True)
    with_graph = torch.autograd.grad(output.square().sum(), wanted, create_graph=True)
    assert all(g.requires_grad for g in with_graph)
    names = [str(i) for i in range(len(wanted))]
    assert_same_numbers(dict(zip(names, plain, strict=True)), dict(zip(names, with_graph, strict=True)))


def test_backward_twice_over_a_retained_graph_gives_the_same_bits() -> None:
    layer = elman.nn.RNN(3, 20, 2)
    output, h_n = layer(torch.randn(5, 4, 3))
    weights = dict(layer.named_parameters())
    loss = output.sum() + h_n.square().sum()
    first = torch.autograd.grad(loss, list(weights.values()), retain_graph=True)
    second = torch.autograd.grad(loss, list(weights.values()))
    assert_same_bits(dict(zip(weights, first, strict=True)), dict(zip(weights, second, strict=True)))


@pytest.mark.parametrize("nn", BOTH, ids=["torch", "elman"])
def test_backward_twice_without_retaining_raises(nn: ModuleType) -> None:
    output, _ = nn.RNN(3, 20)(torch.randn(5, 4, 3))
    loss = output.sum()
    loss.backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        loss.backward()


def test_gradients_accumulate_over_calls() -> None:
    layer = elman.nn.RNN(3, 20)
    input = torch.randn(5, 4, 3)
    layer(input)[0].sum().backward()
    once = {name: p.grad.clone() for name, p in layer.named_parameters() if p.grad is not None}
    layer(input)[0].sum().backward()
    twice = {name: p.grad for name, p in layer.named_parameters()}
    assert_same_bits(twice, {name: 2 * g for name, g in once.items()})


@pytest.mark.parametrize("nn", BOTH, ids=["torch", "elman"])
@pytest.mark.parametrize("written", ["input", "weight_hh_l0"])
def test_writing_to_a_tensor_that_backward_needs_raises(written: str, nn: ModuleType) -> None:
    torch.manual_seed(8)
    layer = nn.RNN(3, 20)
    input = torch.randn(5, 4, 3, requires_grad=True)
    layer_input = input * 1
    output, _ = layer(layer_input)
    loss = output.sum()
    with torch.no_grad():
        {"input": layer_input, **dict(layer.named_parameters())}[written].mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_the_graph_of_a_long_sequence_frees_itself() -> None:
    """A tensor saved by its own node would be a cycle that only the collector breaks."""
    import gc
    import weakref

    layer = elman.nn.RNN(3, 20)
    gc.collect()
    gc.disable()
    try:
        output, h_n = layer(torch.randn(5, 4, 3))
        node = weakref.ref(output)
        del output, h_n
        assert node() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("target", ["output", "h_n"])
def test_one_unused_result_is_no_hindrance(target: str) -> None:
    def results(nn: ModuleType) -> dict[str, Tensor]:
        torch.manual_seed(9)
        layer = nn.RNN(3, 20, bidirectional=True)
        input = torch.randn(5, 4, 3, requires_grad=True)
        output, h_n = layer(input)
        del_me = {"output": output, "h_n": h_n}
        grads = torch.autograd.grad(del_me.pop(target).square().sum(), [input, *layer.parameters()])
        return {str(i): g for i, g in enumerate(grads)}

    assert_same_numbers(results(elman.nn), results(torch.nn))


def test_no_grad_leaves_no_graph() -> None:
    layer = elman.nn.RNN(3, 20)
    with torch.no_grad():
        output, h_n = layer(torch.randn(5, 4, 3, requires_grad=True))
    assert not output.requires_grad
    assert not h_n.requires_grad
    assert output.grad_fn is None


def test_inference_mode_gives_inference_tensors() -> None:
    layer = elman.nn.RNN(3, 20)
    input = torch.randn(5, 4, 3)
    expected = layer(input)[0].detach()
    with torch.inference_mode():
        output, h_n = layer(input)
    assert output.is_inference()
    assert h_n.is_inference()
    assert torch.equal(output, expected)


@pytest.mark.parametrize("nn", BOTH, ids=["torch", "elman"])
def test_an_inference_tensor_cannot_be_saved_for_backward(nn: ModuleType) -> None:
    with torch.inference_mode():
        input = torch.randn(5, 4, 3)
    layer = nn.RNN(3, 20)
    with pytest.raises(RuntimeError, match="Inference tensors cannot be saved for backward"):
        layer(input)
    for parameter in layer.parameters():
        parameter.requires_grad_(False)
    assert not layer(input)[0].is_inference()


def test_training_gives_the_losses_of_torch() -> None:
    def losses(nn: ModuleType) -> list[float]:
        torch.manual_seed(10)
        model = torch.nn.ModuleDict({"rnn": nn.RNN(4, 24, 2, batch_first=True), "head": torch.nn.Linear(24, 1)})
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        input = torch.randn(16, 12, 4)
        target = input[:, :, 0].cumsum(1)
        result = []
        for _ in range(20):
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(model["head"](model["rnn"](input)[0])[..., 0], target)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            result.append(loss.item())
        return result

    assert losses(elman.nn) == pytest.approx(losses(torch.nn), rel=2e-4)
