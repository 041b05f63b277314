"""``torch.func`` but for vmap, and forward mode: each gives what it gives with torch.nn.

Forward mode is compared in float64: in float32 PyTorch's LSTM, which is oneDNN's, has none.
"""

from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vjp

import elman.nn
from tests.nn.cases import output_of
from tests.nn.small import KINDS, Way, as_function, assert_as_with_torch, made

# PyTorch's own forward mode, to itself
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")


def functional(nn: ModuleType, kind: str) -> Any:
    layer, input, state = made(nn, kind)
    f, weights = as_function(layer)
    return f({name: w * 2 for name, w in weights.items()}, input, state)


def functional_gradient(nn: ModuleType, kind: str) -> Any:
    layer, input, state = made(nn, kind)
    f, weights = as_function(layer)
    return tuple(grad(lambda w: f(w, input.detach(), state).square().sum())(weights).values())


def jvp_of_input(nn: ModuleType, kind: str) -> Any:
    layer, input, _ = made(nn, kind, torch.float64)
    return jvp(lambda x: output_of(layer(x)), (input,), (torch.ones_like(input),))


def jvp_of_weights(nn: ModuleType, kind: str) -> Any:
    layer, input, state = made(nn, kind, torch.float64)
    f, weights = as_function(layer)
    return jvp(lambda w: f(w, input, state), (weights,), (weights,))


def vjp_of_input(nn: ModuleType, kind: str) -> Any:
    layer, input, _ = made(nn, kind)
    output, back = vjp(lambda x: output_of(layer(x)), input)
    return output, *back(torch.ones_like(output))


def jacobian_reverse(nn: ModuleType, kind: str) -> Any:
    layer, input, _ = made(nn, kind)
    return jacrev(lambda x: output_of(layer(x)))(input)


def jacobian_forward(nn: ModuleType, kind: str) -> Any:
    layer, input, _ = made(nn, kind, torch.float64)
    return jacfwd(lambda x: output_of(layer(x)))(input)


def hessian_of_input(nn: ModuleType, kind: str) -> Any:
    layer, input, _ = made(nn, kind, torch.float64)
    return hessian(lambda x: output_of(layer(x)).square().sum())(input)


def old_jacobian(nn: ModuleType, kind: str) -> Any:
    layer, input, _ = made(nn, kind)
    return torch.autograd.functional.jacobian(lambda x: output_of(layer(x)), input, vectorize=True)


def batched_gradients(nn: ModuleType, kind: str) -> Any:
    layer, input, _ = made(nn, kind)
    output = output_of(layer(input))
    arriving = torch.eye(output.numel()).view(-1, *output.shape)
    return torch.autograd.grad(output, [input, *layer.parameters()], arriving, is_grads_batched=True)


def forward_mode(nn: ModuleType, kind: str) -> Any:
    layer, input, _ = made(nn, kind, torch.float64)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(input.detach(), torch.ones_like(input))
        return tuple(forward_ad.unpack_dual(output_of(layer(dual))))


def forward_mode_level_without_duals(nn: ModuleType, kind: str) -> Any:
    layer, input, _ = made(nn, kind)
    with forward_ad.dual_level():
        return output_of(layer(input))


WAYS: dict[str, Way] = {
    way.__name__: way
    for way in (
        functional,
        functional_gradient,
        jvp_of_input,
        jvp_of_weights,
        vjp_of_input,
        jacobian_reverse,
        jacobian_forward,
        hessian_of_input,
        old_jacobian,
        batched_gradients,
        forward_mode,
        forward_mode_level_without_duals,
    )
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_it_gives_what_it_gives_with_torch(way: Way, kind: str) -> None:
    assert_as_with_torch(way, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_functional_calls_and_gradients_are_the_engines_and_have_its_bits(kind: str, engine_calls: list[str]) -> None:
    layer, input, state = made(elman.nn, kind)
    f, weights = as_function(layer)
    output = output_of(layer(input, state))
    assert torch.equal(f(weights, input, state), output)
    found = grad(lambda w: f(w, input.detach(), state).square().sum())(weights)
    assert engine_calls == ["forward", "forward", "forward", "backward"]
    expected = torch.autograd.grad(output.square().sum(), list(layer.parameters()))
    for name, gradient in zip(weights, expected, strict=True):
        assert torch.equal(found[name], gradient)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_an_lstm_has_forward_mode_in_float32_too(dtype: torch.dtype) -> None:
    layer, input, _ = made(elman.nn, "LSTM", torch.float64, num_layers=2, bidirectional=True)
    tangent = torch.randn_like(input)
    expected = jvp(lambda x: layer(x)[0], (input,), (tangent,))
    layer, input, tangent = layer.to(dtype), input.to(dtype), tangent.to(dtype)
    tolerance = 1e-5 if dtype is torch.float32 else 0.05
    for one, other in zip(jvp(lambda x: layer(x)[0], (input,), (tangent,)), expected, strict=True):
        torch.testing.assert_close(one, other.to(dtype), rtol=tolerance, atol=tolerance)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(input.detach(), tangent)
        found = forward_ad.unpack_dual(layer(dual)[0]).tangent
    torch.testing.assert_close(found, expected[1].to(dtype), rtol=tolerance, atol=tolerance)


def test_nothing_of_a_transform_stays_behind() -> None:
    layer, input, state = made(elman.nn, "RNN")
    expected = layer(input, state)[0]
    for way in WAYS.values():
        way(elman.nn, "RNN")
        assert torch.equal(layer(input, state)[0], expected)

    def failing(x: Tensor) -> Tensor:
        layer(x, state)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        grad(failing)(input)
    assert torch.equal(layer(input, state)[0], expected)
