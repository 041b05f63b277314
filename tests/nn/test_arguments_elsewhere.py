"""The arguments that PyTorch's layers lack, under transforms and other dtypes, which the engine is not handed."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.utils.checkpoint import checkpoint

import elman.nn
from tests.nn.cases import CELLS, kind
from tests.nn.test_arguments import flat

each_cell = pytest.mark.parametrize("cell", CELLS)
LENGTHS, RESETS = [4, 0, 2], torch.tensor([[0, 0, 1], [0, 1, 0], [1, 0, 1], [0, 0, 0]]) > 0


def layer_of(cell: str, dtype: torch.dtype = torch.float64) -> Any:
    layer = kind(elman.nn, cell)(3, [4, 4], learn_initial_state=True, residual=True, dtype=dtype)
    for name, parameter in layer.named_parameters():
        if "_0_l" in name:
            torch.nn.init.normal_(parameter)
    return layer


def results(layer: Any, x: Tensor) -> list[Tensor]:
    return flat(layer(x, lengths=LENGTHS, resets=RESETS, return_states=True))


def total(layer: Any, x: Tensor) -> Tensor:
    return sum((result * result).sum() for result in results(layer, x))


@pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")  # within PyTorch
@each_cell
def test_transforms_of_functions_agree_with_autograd(cell: str) -> None:
    layer, x = layer_of(cell), torch.randn(4, 3, 3, dtype=torch.float64, requires_grad=True)
    weights = dict(layer.named_parameters())

    def of(weights: Any, x: Tensor) -> Tensor:
        return total(lambda *args, **asked: torch.func.functional_call(layer, weights, args, asked), x)

    expected = torch.autograd.grad(total(layer, x), [x, *weights.values()])
    d_weights, d_x = torch.func.grad(of, (0, 1))(weights, x.detach())
    for found, wanted in zip([d_x, *d_weights.values()], expected, strict=True):
        torch.testing.assert_close(found, wanted)
    tangent = torch.randn_like(x)
    _, pushed = torch.func.jvp(lambda x: of(weights, x), (x.detach(),), (tangent,))
    torch.testing.assert_close(pushed, (expected[0] * tangent).sum())
    with forward_ad.dual_level():
        dual = total(layer, forward_ad.make_dual(x.detach(), tangent))
        torch.testing.assert_close(forward_ad.unpack_dual(dual).tangent, pushed)
    several = torch.stack([x.detach(), 2 * x.detach()])
    for found, wanted in zip(
        torch.func.vmap(lambda x: total(layer, x))(several), map(total, [layer] * 2, several), strict=True
    ):
        torch.testing.assert_close(found, wanted)


@each_cell
def test_gradients_of_gradients_are_those_of_numbers(cell: str) -> None:
    layer = kind(elman.nn, cell)(2, [2, 2], residual=True, learn_initial_state=True, dtype=torch.float64)
    x = torch.randn(4, 3, 2, dtype=torch.float64, requires_grad=True)
    if cell != "relu":  # whose second derivatives are zeros
        assert torch.autograd.gradgradcheck(lambda x: tuple(results(layer, x)), (x,), fast_mode=True)
    assert torch.autograd.gradcheck(lambda x: tuple(results(layer, x)), (x,), fast_mode=True)


@pytest.mark.filterwarnings("ignore:Anomaly")
@pytest.mark.parametrize("reentrant", [False, True])
@each_cell
def test_checkpoints_and_hooks_of_saved_tensors_change_nothing(cell: str, reentrant: bool) -> None:
    layer, x = layer_of(cell, torch.float32), torch.randn(4, 3, 3, requires_grad=True)
    leaves = [x, *layer.parameters()]
    torch.autograd.backward(total(layer, x))
    expected = [leaf.grad for leaf in leaves]
    for leaf in leaves:
        leaf.grad = None
    with torch.autograd.graph.save_on_cpu(), torch.autograd.detect_anomaly(check_nan=True):
        torch.autograd.backward(checkpoint(total, layer, x, use_reentrant=reentrant))
    assert all(map(torch.equal, [leaf.grad for leaf in leaves], expected))


@each_cell
def test_gradients_of_some_inputs_only_are_those_of_all(cell: str) -> None:
    layer, x = layer_of(cell, torch.float32), torch.randn(4, 3, 3, requires_grad=True)
    expected = dict(
        zip(
            ["", *dict(layer.named_parameters())],
            torch.autograd.grad(total(layer, x), [x, *layer.parameters()]),
            strict=True,
        )
    )
    for wanted in ("", "h_0_l0", "weight_hh_l1", "bias_ih_l0"):
        x.requires_grad_(not wanted)
        for name, parameter in layer.named_parameters():
            parameter.requires_grad_(name == wanted)
        leaf = layer.get_parameter(wanted) if wanted else x
        assert torch.equal(torch.autograd.grad(total(layer, x), leaf)[0], expected[wanted])
    leaf.requires_grad_(False)
    assert not total(layer, x).requires_grad


@pytest.mark.parametrize("how", ["bfloat16", "half", "autocast"])
@each_cell
def test_short_numbers_and_autocast_come_near(cell: str, how: str) -> None:
    layer, x = layer_of(cell, torch.float32), torch.randn(4, 3, 3)
    expected = results(layer, x)
    if how == "autocast":
        with torch.autocast("cpu", torch.bfloat16):
            found = results(layer, x)
            # an LSTM's, which is oneDNN's, some processors lack there
            dtype = torch.bfloat16 if cell == "lstm" else kind(torch.nn, cell)(3, 4)(x)[0].dtype
    else:
        dtype = getattr(torch, how)
        found = results(layer.to(dtype), x.to(dtype))
    assert found[0].dtype is dtype
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.float(), other, rtol=0.05, atol=0.05)
    sum(result.float().sum() for result in found).backward()
    assert all(parameter.grad.isfinite().all() for parameter in layer.parameters())


class Flat(torch.nn.Module):
    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(results(self.layer, x))


@pytest.mark.filterwarnings("ignore")
@each_cell
def test_a_trace_runs_as_what_was_traced(cell: str) -> None:
    layer, x = layer_of(cell, torch.float32), torch.randn(4, 3, 3)
    traced = torch.jit.trace(Flat(layer), x)
    other = torch.randn(4, 3, 3)
    for found, wanted in zip(traced(other), results(layer, other), strict=True):
        torch.testing.assert_close(found, wanted)


class Model(torch.nn.Module):
    def __init__(self, cell: str) -> None:
        super().__init__()
        self.layer, self.cell = layer_of(cell, torch.float32), kind(elman.nn, cell, "Cell")(3, 4)

    def forward(self, x: Tensor, lengths: Any, flags: Any) -> Any:
        return self.layer(x, lengths=lengths)[0], self.cell(x[0], reset=flags)


@each_cell
def test_fx_takes_a_layer_with_its_arguments_for_one_call(cell: str) -> None:
    model, x = Model(cell), torch.randn(4, 3, 3)
    graph = torch.fx.symbolic_trace(model)
    calls = [node for node in graph.graph.nodes if node.op == "call_module"]
    assert [call.target for call in calls] == ["layer", "cell"]
    given = x, torch.tensor(LENGTHS), RESETS[0]
    assert all(map(torch.equal, flat(graph(*given)), flat(model(*given))))


@each_cell
def test_inputs_of_any_layout_give_the_same_bits(cell: str) -> None:
    layer = layer_of(cell, torch.float32)
    x = torch.randn(4, 3, 3)
    expected = [*results(layer, x), *torch.autograd.grad(total(layer, x), [*layer.parameters()])]
    wide = torch.randn(4, 3, 7)
    wide[..., 1::2] = x
    for other in (wide[..., 1::2], x.permute(2, 1, 0).contiguous().permute(2, 1, 0), x[:, :1].expand(4, 3, 3)):
        like = [*results(layer, other), *torch.autograd.grad(total(layer, other), [*layer.parameters()])]
        if torch.equal(other, x):
            assert all(map(torch.equal, like, expected))
        dense = other.clone(memory_format=torch.contiguous_format)
        again = [*results(layer, dense), *torch.autograd.grad(total(layer, dense), [*layer.parameters()])]
        assert all(map(torch.equal, like, again))
