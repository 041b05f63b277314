"""What autograd offers besides gradients: each gives what it gives with torch.nn, on the engine."""

import warnings
from types import ModuleType
from typing import Any

import pytest
import torch
from torch.autograd.graph import save_on_cpu, saved_tensors_hooks
from torch.utils.checkpoint import checkpoint

import elman.nn
from tests.nn.cases import output_of, states_of
from tests.nn.small import KINDS, Way, assert_as_with_torch, made

pytestmark = pytest.mark.filterwarnings("ignore:`torch.cpu.amp.autocast:FutureWarning")  # of PyTorch 2.4, to itself


def checkpointed(nn: ModuleType, kind: str) -> Any:
    layer, input, state = made(nn, kind)
    output = output_of(checkpoint(layer, input, state, use_reentrant=False))
    return output, torch.autograd.grad(output.sum(), [input, *layer.parameters()])


def checkpointed_reentrant(nn: ModuleType, kind: str) -> Any:
    layer, input, state = made(nn, kind)
    output = output_of(checkpoint(layer, input, state, use_reentrant=True))
    output.sum().backward()
    return output, input.grad, tuple(p.grad for p in layer.parameters())


def hooked_saves(nn: ModuleType, kind: str) -> Any:
    """Every tensor saved for backward comes back from elsewhere."""
    layer, input, state = made(nn, kind)
    with saved_tensors_hooks(lambda x: x.detach().numpy().copy(), torch.from_numpy):
        output = output_of(layer(input, state))
    return torch.autograd.grad(output.square().sum(), [input, *layer.parameters()])


def saved_on_cpu(nn: ModuleType, kind: str) -> Any:
    layer, input, state = made(nn, kind)
    with save_on_cpu():
        output = output_of(layer(input, state))
    return torch.autograd.grad(output.square().sum(), [input, *layer.parameters()])


def anomaly_mode(nn: ModuleType, kind: str) -> Any:
    layer, input, _ = made(nn, kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with torch.autograd.detect_anomaly():
            output = output_of(layer(input))
            return torch.autograd.grad(output.square().sum(), [input, *layer.parameters()])


def some_gradients(nn: ModuleType, kind: str) -> Any:
    """Those of each weight, of the input and of the states alone."""
    layer, input, state = made(nn, kind)
    states = [s.requires_grad_() for s in states_of(state)]
    found = []
    for wanted in (input, *states, *layer.parameters()):
        for leaf in (input, *states, *layer.parameters()):
            leaf.requires_grad_(leaf is wanted)
        output = output_of(layer(input, state))
        found.append(torch.autograd.grad(output.square().sum(), wanted)[0])
        for leaf in (input, *states, *layer.parameters()):
            leaf.requires_grad_()
        output = output_of(layer(input, state))
        found.append(torch.autograd.grad(output.square().sum(), wanted)[0])
    return tuple(found)


WAYS: dict[str, Way] = {
    way.__name__: way
    for way in (
        checkpointed,
        checkpointed_reentrant,
        hooked_saves,
        saved_on_cpu,
        anomaly_mode,
        some_gradients,
    )
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_it_gives_what_it_gives_with_torch(way: Way, kind: str, engine_calls: list[str]) -> None:
    assert_as_with_torch(way, kind)
    assert "backward" in engine_calls


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_checkpointed_gradients_have_the_bits_of_plain_ones_and_dropouts_masks(kind: str, reentrant: bool) -> None:
    options = {} if kind.endswith("Cell") else {"num_layers": 2, "dropout": 0.5}
    layer, input, state = made(elman.nn, kind, **options)
    found = []
    for run in (layer, lambda *given: checkpoint(layer, *given, use_reentrant=reentrant)):
        torch.manual_seed(4)
        layer.zero_grad()
        input.grad = None
        output_of(run(input, state)).square().sum().backward()
        found.append([input.grad, *(p.grad for p in layer.parameters())])
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("kind", KINDS)
def test_anomaly_mode_names_the_call_whose_gradient_is_nan(kind: str) -> None:
    layer, input, _ = made(elman.nn, kind)
    with warnings.catch_warnings(record=True) as caught, torch.autograd.set_detect_anomaly(True):
        warnings.simplefilter("always")
        output = output_of(layer(input))
        with pytest.raises(RuntimeError, match="returned nan values"):
            output.backward(torch.full_like(output, torch.nan))
    assert "output_of(layer(input))" in str(caught[-1].message)


@pytest.mark.parametrize("kind", KINDS)
def test_all_that_is_saved_goes_through_the_hooks(kind: str) -> None:
    layer, input, state = made(elman.nn, kind)
    packed: list[tuple[int, ...]] = []

    def pack(x: torch.Tensor) -> torch.Tensor:
        packed.append(tuple(x.shape))
        return x * 0  # what is unpacked is what the gradients go by

    with saved_tensors_hooks(pack, lambda x: x):
        output = output_of(layer(input, state))
    assert tuple(input.shape) in packed
    [d_input] = torch.autograd.grad(output.sum(), input)
    assert not d_input.any()
