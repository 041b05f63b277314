"""What a program may write to, and when: results, inputs and weights, between forward and backward."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

import elman.nn
from tests.nn.cases import CELLS, assert_same_numbers, outcome, output_of, states_of
from tests.nn.cases import kind as kind_of

Write = Callable[[Tensor], Any]
WRITES: dict[str, Write] = {
    "mul_": lambda x: x.mul_(2),
    "relu_": torch.relu_,
    "add_ of something that needs gradients": lambda x: x.add_(torch.ones((), requires_grad=True) * 0.5),
    "a mask": lambda x: x.masked_fill_(x > 0.1, 0),
    "a slice": lambda x: x.__setitem__(..., 0),
    "under no_grad": lambda x: _under_no_grad(x),
    "inplace dropout": lambda x: torch.nn.functional.dropout(x, 0.5, True, inplace=True),
}


def _under_no_grad(x: Tensor) -> None:
    with torch.no_grad():
        x.zero_()


FORMS = ["one step", "padded", "batch_first", "unbatched", "two layers", "packed", "relu", "gru", "packed gru", "lstm"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("target", [0, 1], ids=["output", "h_n"])
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_result_may_be_written_to_before_backward_as_with_torch(write: Write, target: int, form: str) -> None:
    """``output += residual`` and ``h_n[done] = 0`` are common; torch keeps copies of its own for backward."""

    def gradients(nn: ModuleType) -> tuple[Tensor, ...]:
        torch.manual_seed(1)
        cell = form.split()[-1] if form.split()[-1] in CELLS else "tanh"
        dtype = torch.float64 if cell == "lstm" else torch.float32  # oneDNN's refuses these
        layers = 2 if form == "two layers" else 1
        layer = kind_of(nn, cell)(3, 5, layers, batch_first=form == "batch_first", dtype=dtype)
        input = torch.randn(1 if form == "one step" else 4, 2, 3, requires_grad=True, dtype=dtype)
        given: Any = input
        if form == "unbatched":
            given = input[:, 0]
        if form.startswith("packed"):
            given = pack_padded_sequence(input, torch.tensor([4, 2]))
        output, final = layer(given)
        results = [output.data if isinstance(output, PackedSequence) else output, states_of(final)[-1]]
        untouched = results[1 - target].detach().clone()
        write(results[target])
        assert torch.equal(results[1 - target], untouched), "output and h_n share memory"
        loss = results[0].square().sum() + results[1].sum()
        return torch.autograd.grad(loss, [input, *layer.parameters()])

    ours, theirs = outcome(gradients, elman.nn), outcome(gradients, torch.nn)
    assert ours == theirs


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("target", ["input", "hx", "cx", "weight_ih", "weight_hh", "bias_ih"])
@pytest.mark.parametrize("suffix", ["", "Cell"])
def test_writing_to_what_backward_needs_raises_where_torch_raises(suffix: str, target: str, cell: str) -> None:
    def write_and_go_back(nn: ModuleType) -> str:
        torch.manual_seed(2)
        dtype = torch.float64 if cell == "lstm" else torch.float32  # oneDNN's needs its biases
        layer = kind_of(nn, cell, suffix)(3, 5, dtype=dtype)
        input = torch.randn(*[4] * (not suffix), 2, 3, requires_grad=True, dtype=dtype) * 1
        hx, cx = (torch.randn(*[1] * (not suffix), 2, 5, requires_grad=True, dtype=dtype) * 1 for _ in range(2))
        loss = output_of(layer(input, (hx, cx) if cell == "lstm" else hx)).square().sum()
        named = {name.removesuffix("_l0"): p for name, p in layer.named_parameters()}
        with torch.no_grad():
            {"input": input, "hx": hx, "cx": cx, **named}[target].mul_(2)
        try:
            loss.backward()
        except RuntimeError:  # in torch's words for torch's intermediate tensors, which are not ours
            return "raises"
        return "no error"

    assert outcome(write_and_go_back, elman.nn) == outcome(write_and_go_back, torch.nn)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_cell_s_state_that_is_written_to_is_refused_where_torch_refuses_it(write: Write, cell: str) -> None:
    def write_and_go_back(nn: ModuleType) -> str:
        torch.manual_seed(2)
        state = output_of(kind_of(nn, cell, "Cell")(3, 5)(torch.randn(2, 3)))
        loss = state.square().sum() if write is _under_no_grad else None
        write(state)
        try:
            (state.sum() if loss is None else loss).backward()
        except RuntimeError as error:
            return (
                "modified by an inplace operation" if "modified by an inplace operation" in str(error) else str(error)
            )
        return "no error"

    assert outcome(write_and_go_back, elman.nn) == outcome(write_and_go_back, torch.nn)


def test_an_optimizer_step_between_forward_and_backward_raises_as_with_torch() -> None:
    def step_too_early(nn: ModuleType) -> str:
        layer = nn.RNN(3, 5)
        output, _ = layer(torch.randn(4, 2, 3))
        for p in layer.parameters():
            p.grad = torch.ones_like(p)
        torch.optim.SGD(layer.parameters(), lr=0.1).step()
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            output.sum().backward()
        return "raised"

    assert outcome(step_too_early, elman.nn) == outcome(step_too_early, torch.nn)


def numpy_write(p: Tensor) -> None:
    p.detach().numpy()[...] *= 2


def fused_step(p: Tensor) -> None:
    p.grad = torch.ones_like(p)
    torch.optim.Adam([p], lr=0.1, fused=True).step()


def through_data(p: Tensor) -> None:
    p.data.mul_(2)


def new_data(p: Tensor) -> None:
    p.data = p.data * 2


def under_no_grad(p: Tensor) -> None:
    with torch.no_grad():
        p.mul_(2)


def through_set(p: Tensor) -> None:
    with torch.no_grad():
        p.set_((p * 2).clone())


@pytest.mark.parametrize("write", [numpy_write, fused_step, through_data, new_data, under_no_grad, through_set])
@pytest.mark.parametrize("name", ["weight_ih", "weight_hh", "bias_ih", "bias_hh"])
@pytest.mark.parametrize("kind", ["RNN", "RNNCell"])
def test_a_weight_written_between_calls_is_read_afresh(kind: str, name: str, write: Callable[[Tensor], None]) -> None:
    def before_and_after(nn: ModuleType) -> dict[str, Tensor]:
        torch.manual_seed(3)
        layer = getattr(nn, kind)(3, 40)
        input = torch.randn(4, 2, 3) if kind == "RNN" else torch.randn(2, 3)
        state = torch.randn(1, 2, 40) if kind == "RNN" else torch.randn(2, 40)
        found = {}
        for moment in ("before", "again", "after"):
            if moment == "after":
                write(getattr(layer, name + ("_l0" if kind == "RNN" else "")))
            result = layer(input, state)
            found[moment] = result[0] if kind == "RNN" else result
        return found

    ours = before_and_after(elman.nn)
    assert torch.equal(ours["before"], ours["again"])
    assert not torch.equal(ours["before"], ours["after"])
    assert_same_numbers(ours, before_and_after(torch.nn))


def test_a_weight_replaced_by_assignment_is_used_and_gets_the_gradient() -> None:
    def results(nn: ModuleType) -> dict[str, Tensor]:
        torch.manual_seed(4)
        layer = nn.RNN(3, 5)
        input = torch.randn(4, 2, 3)
        layer(input)[0].sum().backward()
        layer.weight_hh_l0 = torch.nn.Parameter(torch.randn(5, 5))
        output, _ = layer(input)
        output.sum().backward()
        assert [p is q for p, q in zip(layer.all_weights[0], layer.parameters(), strict=True)] == [True] * 4
        return {"output": output} | {name: p.grad for name, p in layer.named_parameters()}

    assert_same_numbers(results(elman.nn), results(torch.nn))


def test_tied_weights_gather_the_gradients_of_all_their_uses() -> None:
    def results(nn: ModuleType) -> dict[str, Tensor]:
        torch.manual_seed(5)
        layer = nn.RNN(5, 5, 2, bidirectional=False)
        layer.weight_hh_l0 = layer.weight_ih_l1 = layer.weight_hh_l1 = layer.weight_ih_l0
        layer.bias_hh_l0 = layer.bias_ih_l0
        output, h_n = layer(torch.randn(4, 2, 5))
        (output.square().sum() + h_n.sum()).backward()
        return {"output": output} | {name: p.grad for name, p in layer.named_parameters()}

    assert_same_numbers(results(elman.nn), results(torch.nn))


@pytest.mark.parametrize("create_graph", [False, True])
def test_one_tensor_as_input_and_hx_gathers_both_gradients(create_graph: bool) -> None:
    def gradient(nn: ModuleType) -> dict[str, Tensor]:
        torch.manual_seed(6)
        layer = nn.RNN(5, 5)
        both = torch.randn(1, 2, 5, requires_grad=True)
        output, _ = layer(both, both)
        return {"d": torch.autograd.grad(output.square().sum(), both, create_graph=create_graph)[0]}

    assert_same_numbers(gradient(elman.nn), gradient(torch.nn))


def test_batch_sizes_written_to_before_backward_change_nothing() -> None:
    packed = pack_padded_sequence(torch.randn(40, 3, 3), torch.tensor([40, 1, 1]))
    layer = elman.nn.RNN(3, 5)
    expected = torch.autograd.grad(layer(packed)[0].data.sum(), list(layer.parameters()))
    output, _ = layer(packed)
    packed.batch_sizes.fill_(200_000)
    for found, right in zip(torch.autograd.grad(output.data.sum(), list(layer.parameters())), expected, strict=True):
        assert torch.equal(found, right)


def test_a_hook_may_bring_the_output_back_in_other_strides() -> None:
    layer, input = elman.nn.RNN(3, 5), torch.randn(4, 2, 3)
    expected = torch.autograd.grad(layer(input)[0].square().sum(), list(layer.parameters()))

    def turned(x: Tensor) -> Tensor:
        return x.transpose(-1, -2)

    with torch.autograd.graph.saved_tensors_hooks(lambda x: turned(x).contiguous(), turned):
        loss = layer(input)[0].square().sum()
    for found, right in zip(torch.autograd.grad(loss, list(layer.parameters())), expected, strict=True):
        torch.testing.assert_close(found, right)


@pytest.mark.parametrize("target", ["input", "weight"])
def test_freed_storage_raises_as_with_torch(target: str) -> None:
    def run(nn: ModuleType) -> Tensor:
        layer, input = nn.RNN(3, 5), torch.randn(4, 2, 3)
        {"input": input, "weight": layer.weight_hh_l0}[target].untyped_storage().resize_(0)
        with torch.no_grad():
            output: Tensor = layer(input)[0]
        return output

    for nn in (elman.nn, torch.nn):
        with pytest.raises(RuntimeError):
            run(nn)


def test_an_output_whose_storage_is_freed_is_computed_again() -> None:
    layer, input = elman.nn.RNN(3, 5), torch.randn(4, 2, 3)
    expected = torch.autograd.grad(layer(input)[0].sum(), list(layer.parameters()))
    output, _ = layer(input)
    loss = output.sum()
    output.untyped_storage().resize_(0)
    for found, right in zip(torch.autograd.grad(loss, list(layer.parameters())), expected, strict=True):
        torch.testing.assert_close(found, right)
