"""What becomes of the weights in other hands: parametrized, pruned, tied, averaged, shared, made without memory."""

import copy
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils import parametrizations, parametrize, prune
from torch.optim.swa_utils import SWALR, AveragedModel, get_ema_multi_avg_fn

import elman.nn
from tests.nn.cases import output_of
from tests.nn.small import KINDS, assert_as_with_torch, made, weight

kinds = pytest.mark.parametrize("kind", KINDS)


class Mask(torch.nn.Module):
    """Units that do not see one another, as in networks of neurons."""

    def forward(self, weight: Tensor) -> Tensor:
        return weight * (torch.arange(weight.numel()).view(weight.shape) % 3 > 0)


APPLIED: dict[str, Callable[[torch.nn.Module, str], Any]] = {
    "orthogonal": parametrizations.orthogonal,
    "weight_norm": parametrizations.weight_norm,
    "spectral_norm": lambda layer, name: parametrizations.spectral_norm(layer, name, n_power_iterations=2),
    "a mask": lambda layer, name: parametrize.register_parametrization(layer, name, Mask()),
    "pruning": lambda layer, name: prune.l1_unstructured(layer, name, amount=0.4),
    "old spectral_norm": torch.nn.utils.spectral_norm,
    "old weight_norm": torch.nn.utils.weight_norm,
}


def trained(layer: Any, input: Tensor) -> tuple[Tensor, ...]:
    """The outputs on the way, and the parameters at last."""
    optimizer, found = torch.optim.SGD(layer.parameters(), lr=0.01), []
    for _ in range(3):
        optimizer.zero_grad()
        output = output_of(layer(input.detach()))
        output.square().sum().backward()
        optimizer.step()
        found.append(output)
    return *found, output_of(layer.eval()(input)), *(p.detach() for p in layer.parameters())


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.(spectral|weight)_norm` is deprecated:FutureWarning")
@pytest.mark.parametrize("apply", APPLIED.values(), ids=APPLIED)
@kinds
def test_parametrized_and_pruned_weights_train_as_with_torch(
    kind: str, apply: Callable[[torch.nn.Module, str], Any], engine_calls: list[str]
) -> None:
    def way(nn: ModuleType, kind: str) -> Any:
        layer, input, _ = made(nn, kind)
        for name in ("weight_hh", "weight_ih"):
            apply(layer, weight(kind, name))
        return trained(layer, input)

    assert_as_with_torch(way, kind)
    assert engine_calls.count("backward") == 3


@kinds
def test_a_parametrized_layer_can_be_copied_and_freed_of_its_parametrization(kind: str) -> None:
    layer, input, _ = made(elman.nn, kind)
    parametrizations.orthogonal(layer, weight(kind))
    other = copy.deepcopy(layer)  # of a layer that has run, torch copies neither its own nor ours
    expected = output_of(layer(input))
    assert torch.equal(output_of(other(input)), expected)
    parametrize.remove_parametrizations(other, weight(kind))
    assert torch.equal(output_of(other(input)), expected)
    assert type(other) is type(elman.nn.convert(getattr(torch.nn, kind)(3, 5)))


@kinds
def test_a_pruned_layer_stays_pruned_after_remove(kind: str) -> None:
    layer, input, _ = made(elman.nn, kind)
    prune.l1_unstructured(layer, weight(kind), amount=0.4)
    expected = output_of(layer(input))
    prune.remove(layer, weight(kind))
    assert torch.equal(output_of(layer(input)), expected)
    pruned = layer.get_parameter(weight(kind))
    assert (pruned == 0).sum() == round(0.4 * pruned.numel())


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_weights_tied_between_layers_learn_from_both(kind: str, engine_calls: list[str]) -> None:
    def way(nn: ModuleType, kind: str) -> Any:
        torch.manual_seed(3)
        first, second = getattr(nn, kind)(5, 5), getattr(nn, kind)(5, 5)
        second.weight_hh_l0, second.bias_ih_l0 = first.weight_hh_l0, first.bias_ih_l0
        deep = getattr(nn, kind)(5, 5, 2)
        deep.weight_ih_l1 = deep.weight_ih_l0  # of two layers of one module, too
        model = torch.nn.ModuleList([first, second, deep])
        model.forward = lambda x: deep(second(first(x)[0])[0])[0]  # type: ignore[method-assign]
        assert len([*model.parameters()]) == 4 + 2 + 7
        return trained(model, torch.randn(4, 2, 5))

    assert_as_with_torch(way, kind)
    assert engine_calls.count("backward") == 3 * 4


@kinds
def test_a_layer_made_on_meta_gets_memory_and_weights_later(kind: str) -> None:
    def way(nn: ModuleType, kind: str) -> Any:
        layer, input, state = made(nn, kind)
        with torch.device("meta"):
            empty = getattr(nn, kind)(3, 5)
        shape = output_of(empty(input.to("meta"))).shape
        empty.to_empty(device="cpu").load_state_dict(layer.state_dict())
        assigned = getattr(nn, kind)(3, 5, device="meta")
        assigned.load_state_dict(layer.state_dict(), assign=True)
        drawn = getattr(nn, kind)(3, 5, device="meta").to_empty(device="cpu")
        torch.manual_seed(1)
        drawn.reset_parameters()
        return str(shape), *(output_of(one(input, state)) for one in (empty, assigned, drawn)), *trained(empty, input)

    assert_as_with_torch(way, kind)


@kinds
def test_weights_averaged_on_the_way_are_those_of_torch(kind: str) -> None:
    def way(nn: ModuleType, kind: str) -> Any:
        layer, input, _ = made(nn, kind)
        mean, moving = AveragedModel(layer), AveragedModel(layer, multi_avg_fn=get_ema_multi_avg_fn(0.9))
        optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
        schedule = SWALR(optimizer, swa_lr=0.05)
        for _ in range(3):
            optimizer.zero_grad()
            output_of(layer(input)).square().sum().backward()
            optimizer.step()
            schedule.step()
            mean.update_parameters(layer)
            moving.update_parameters(layer)
        assert type(mean.module) is type(layer)
        return tuple(output_of(model(input)) for model in (layer, mean, moving))

    assert_as_with_torch(way, kind)


@kinds
def test_a_layer_in_shared_memory_computes_and_learns_there(kind: str, engine_calls: list[str]) -> None:
    layer, input, _ = made(elman.nn, kind)
    alone = trained(copy.deepcopy(layer), input)
    assert all(p.is_shared() for p in layer.share_memory().parameters())
    for one, other in zip(trained(layer, input), alone, strict=True):
        assert torch.equal(one, other)
    assert all(p.is_shared() for p in layer.parameters())
    assert engine_calls.count("backward") == 6
