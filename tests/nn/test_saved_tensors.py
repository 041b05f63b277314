"""What a program does to tensors between forward and backward, and what the gradients go by then: PyTorch's rule."""

import gc
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

import elman.nn
from elman.nn._pytorch import RECURRENT
from tests.nn.cases import CELLS, assert_same_numbers, output_of, states_of
from tests.nn.cases import kind as kind_of

Change = Callable[[Tensor], Any]


def given_other_data(p: Tensor) -> None:
    p.data = torch.rand_like(p)


def given_other_data_twice(p: Tensor) -> None:
    """Freed memory comes back at the same address."""
    for fresh in [torch.rand_like(p) for _ in range(2)]:
        p.data = fresh.clone()


def given_other_data_and_back(p: Tensor) -> None:
    """As an average of weights is swapped in to validate, and out again."""
    own = p.data.clone()
    p.data = torch.rand_like(p)
    p.data = own


def given_data_of_another_shape(p: Tensor) -> None:
    p.data = torch.rand(2, 2)


def written_through_data(p: Tensor) -> None:
    p.data.mul_(0.5)


def written_through_numpy(p: Tensor) -> None:
    p.detach().numpy()[...] *= 0.5


def written_under_no_grad(p: Tensor) -> None:
    with torch.no_grad():
        p.mul_(0.5)


def stepped_by_a_fused_optimizer(p: Tensor) -> None:
    leaf = p.detach().requires_grad_()
    leaf.grad = torch.ones_like(p)
    torch.optim.Adam([leaf], lr=0.1, fused=True).step()


def set_to_another_storage(p: Tensor) -> None:
    with torch.no_grad():
        p.set_(torch.rand_like(p))


def data_set_to_another_storage(p: Tensor) -> None:
    p.data.set_(torch.rand_like(p))


def data_resized(p: Tensor) -> None:
    p.data.resize_(100, 100)


def emptied_and_refilled(p: Tensor) -> None:
    """What FSDP2 does to a parameter, here with numbers that are not the old ones."""
    values, size = p.detach().clone(), p.untyped_storage().size()
    with torch.no_grad(), torch.autograd._unsafe_preserve_version_counter(p):
        p.untyped_storage().resize_(0)
        kept_busy = torch.empty(9 * size)
        p.untyped_storage().resize_(2 * size)
        p.copy_(values * 0.5)
    del kept_busy


def moved_to_shared_memory(p: Tensor) -> None:
    p.share_memory_()


CHANGES = [
    given_other_data,
    given_other_data_twice,
    given_other_data_and_back,
    given_data_of_another_shape,
    written_through_data,
    written_through_numpy,
    written_under_no_grad,
    stepped_by_a_fused_optimizer,
    set_to_another_storage,
    data_set_to_another_storage,
    data_resized,
    emptied_and_refilled,
    moved_to_shared_memory,
]


def nothing(p: Tensor) -> None:
    pass


# Rows of a single step PyTorch saves as they are, so that its gradients go by data they are given later: not the
# gradients of what was computed. Ours are.
OF_NEW_DATA_IN_PYTORCH = given_other_data, given_other_data_twice, given_data_of_another_shape


# After these PyTorch's GRU goes by the new numbers of its state for W_hh and by a copy of the old ones for z.
NOT_COUNTED = written_through_data, written_through_numpy, stepped_by_a_fused_optimizer, emptied_and_refilled
KINDS = [*RECURRENT, "Linear"]
LAYERS = ("RNN", "GRU", "LSTM")


def _module(nn: ModuleType, kind: str) -> Any:
    # PyTorch's LSTM of float32 is oneDNN's, which keeps another choice of tensors
    return getattr(nn, kind)(6, 6, dtype=torch.float64 if kind == "LSTM" else torch.float32)


def gradients_after(nn: ModuleType, kind: str, target: str, change: Change, leaf: bool) -> dict[str, Tensor] | str:
    """The gradients, or that there are none to be had."""
    torch.manual_seed(7)
    module = _module(nn, kind)
    # one step alone: a longer sequence's own states are copies in torch, where a write can do no harm
    shape, dtype = (1, 2, 6) if kind in LAYERS else (2, 6), module.weight_ih_l0.dtype if kind in LAYERS else None
    names = ["input"] + ["hx"] * (kind != "Linear") + ["cx"] * kind.startswith("LSTM")
    leaves = {name: torch.rand(shape, requires_grad=True, dtype=dtype) for name in names}
    inputs = leaves if leaf else {name: x.clone() for name, x in leaves.items()}
    input, *states = inputs.values()
    found = module(input, *([tuple(states)] if len(states) == 2 else states))
    results = [found[0], *states_of(found[1])] if kind in LAYERS else states_of(found)
    loss = sum(x.square().sum() for x in results)
    named = {name.removesuffix("_l0"): p for name, p in module.named_parameters()}
    try:
        torch.manual_seed(8)
        change({**inputs, **named}[target])
        learned = leaves | named
        return dict(zip(learned, torch.autograd.grad(loss, [*learned.values()]), strict=True))
    except RuntimeError:
        return "raises"


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_go_by_what_pytorch_s_go_by(kind: str, change: Change) -> None:
    targets = ["input", "weight", "bias"] if kind == "Linear" else ["input", "hx", "weight_ih", "weight_hh", "bias_hh"]
    if kind.startswith("GRU") and change in NOT_COUNTED:
        targets.remove("hx")
    for target in [*targets, *["cx"] * kind.startswith("LSTM")]:
        for leaf in (True, False):
            ours = gradients_after(elman.nn, kind, target, change, leaf)
            rows = kind not in LAYERS and target in ("input", "hx", "cx")
            right = nothing if rows and change in OF_NEW_DATA_IN_PYTORCH else change
            theirs = gradients_after(torch.nn, kind, target, right, leaf)
            if isinstance(ours, str) or isinstance(theirs, str):
                assert ours == theirs, f"{target}, {'a leaf' if leaf else 'computed'}"
            else:
                assert_same_numbers(ours, theirs)


@pytest.mark.parametrize("target", ["input", "weight_ih", "weight_hh"])
def test_gradients_of_gradients_go_by_the_old_data_and_reach_the_parameter(target: str) -> None:
    def second(nn: ModuleType) -> dict[str, Tensor]:
        torch.manual_seed(9)
        layer, input = nn.RNN(6, 6), torch.rand(3, 2, 6, requires_grad=True)
        loss = layer(input)[0].square().sum()
        named = {name.removesuffix("_l0"): p for name, p in layer.named_parameters()} | {"input": input}
        named[target].data = torch.rand_like(named[target])
        first = torch.autograd.grad(loss, [*named.values()], create_graph=True)
        return dict(
            zip(named, torch.autograd.grad(sum(g.square().sum() for g in first), [*named.values()]), strict=True)
        )

    assert_same_numbers(second(elman.nn), second(torch.nn))


@pytest.mark.parametrize("change", [given_other_data, written_under_no_grad, written_through_data])
@pytest.mark.parametrize("cell", CELLS)
def test_gradients_of_a_cell_s_gradients_need_no_biases(cell: str, change: Change) -> None:
    def second(nn: ModuleType) -> dict[str, Tensor]:
        torch.manual_seed(11)
        module = kind_of(nn, cell, "Cell")(3, 5)
        state = output_of(module(torch.rand(4, 3), module(torch.rand(4, 3))))
        named = dict(module.named_parameters())
        first = torch.autograd.grad(state.square().sum(), [*named.values()], create_graph=True)
        loss = sum(g.square().sum() for g in first)
        for name in ("bias_ih", "bias_hh"):
            change(named[name])
        return dict(zip(named, torch.autograd.grad(loss, [*named.values()]), strict=True))

    def first(nn: ModuleType) -> dict[str, Tensor]:
        torch.manual_seed(12)
        module, h = kind_of(nn, cell, "Cell")(3, 5), torch.rand(4, 5)
        state = output_of(module(torch.rand(4, 3), (h, h) if cell == "lstm" else h))
        named = dict(module.named_parameters())
        for name in ("bias_ih", "bias_hh"):
            change(named[name])
        found = torch.autograd.grad(state.square().sum(), [*named.values()], create_graph=True)
        return {name: g.detach() for name, g in zip(named, found, strict=True)}

    assert_same_numbers(second(elman.nn), second(torch.nn))
    assert_same_numbers(first(elman.nn), first(torch.nn))


@pytest.mark.parametrize("learning", ["weights", "input", "hx"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", ["RNNCell", "GRUCell"])
def test_what_no_wanted_gradient_of_a_cell_needs_may_be_written_to(kind: str, bias: bool, learning: str) -> None:
    def gradients(nn: ModuleType) -> dict[str, Tensor]:
        torch.manual_seed(13)
        cell, input, hx = getattr(nn, kind)(6, 5, bias=bias), torch.rand(4, 6), torch.rand(4, 5)
        cell.requires_grad_(learning == "weights")
        input.requires_grad_(learning == "input")
        hx.requires_grad_(learning == "hx")
        given = {"input": input.clone(), "hx": hx.clone(), **dict(cell.named_parameters())}
        loss = cell(given["input"], given["hx"]).square().sum()
        needed = {"weights": ("input", "hx"), "input": ("weight_ih",), "hx": ("weight_hh",)}[learning]
        for name, tensor in given.items():
            if name not in needed:
                written_under_no_grad(tensor)
        learned = {"weights": dict(cell.named_parameters()), "input": {"input": input}, "hx": {"hx": hx}}[learning]
        return dict(zip(learned, torch.autograd.grad(loss, [*learned.values()]), strict=True))

    assert_same_numbers(gradients(elman.nn), gradients(torch.nn))


@pytest.mark.parametrize("change", [given_other_data_twice, written_under_no_grad, written_through_data])
def test_an_output_is_computed_again_from_the_biases_as_they_were(change: Change) -> None:
    def gradients(nn: ModuleType) -> dict[str, Tensor]:
        torch.manual_seed(10)
        layer = nn.RNN(3, 5, bidirectional=True)
        output, _ = layer(torch.rand(4, 2, 3))
        loss = output.sum()
        for name, p in layer.named_parameters():
            if "bias" in name:
                change(p)
        with torch.no_grad():
            output.mul_(2)
        return dict(zip(layer.state_dict(), torch.autograd.grad(loss, list(layer.parameters())), strict=True))

    assert_same_numbers(gradients(elman.nn), gradients(torch.nn))


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_saved_is_freed_by_backward_though_the_output_lives(kind: str) -> None:
    module, input = _module(elman.nn, kind).float(), torch.rand((4, 2, 6) if kind in LAYERS else (2, 6))
    given = input.clone().requires_grad_().clone()
    output = output_of(module(given))
    freed = weakref.ref(given.untyped_storage())
    loss = output.sum()
    del given
    gc.collect(0)
    assert freed() is not None
    loss.backward()
    gc.collect(0)
    assert freed() is None
