"""Autocast, other dtypes, modes and tensors that are more than their memory: each gives what it gives with torch.nn."""

import warnings
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

import elman.nn
from tests.nn.cases import output_of
from tests.nn.small import KINDS, Way, assert_as_with_torch, made


def autocast(nn: ModuleType, kind: str) -> Any:
    layer, input, state = made(nn, kind)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = output_of(layer(input, state))
    return output, torch.autograd.grad(output.float().sum(), [input, *layer.parameters()])


def autocast_switched_off(nn: ModuleType, kind: str) -> Any:
    layer, input, state = made(nn, kind)
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.autocast("cpu", enabled=False):
        return output_of(layer(input, state))


def autocast_of_another_dtype(nn: ModuleType, kind: str) -> Any:
    layer, input, _ = made(nn, kind)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return output_of(layer(input.detach().bfloat16()))


def autocast_of_float16(nn: ModuleType, kind: str) -> Any:
    layer, input, state = made(nn, kind)
    with torch.autocast("cpu", dtype=torch.float16):
        return output_of(layer(input, state))


def lower_precision(nn: ModuleType, kind: str) -> Any:
    found = []
    for dtype in (torch.bfloat16, torch.float16):
        layer, input, state = made(nn, kind, dtype)
        output = output_of(layer(input, state))
        found += [output, *torch.autograd.grad(output.float().sum(), [input, *layer.parameters()])]
    return tuple(found)


def subclass(nn: ModuleType, kind: str) -> Any:
    class Own(Tensor):
        pass

    layer, input, state = made(nn, kind)
    found = output_of(layer(input.detach().as_subclass(Own), state))
    return type(found).__name__, found.as_subclass(Tensor)


def subclassed_weight(nn: ModuleType, kind: str) -> Any:
    class Logging(Tensor):
        log: list[str] = []  # noqa: RUF012

        @classmethod
        def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if "rnn" in getattr(func, "__name__", ""):
                cls.log.append(func.__name__)
            return super().__torch_function__(func, types, args, kwargs or {})

    layer, input, _ = made(nn, kind)
    name = "weight_hh" if kind.endswith("Cell") else "weight_hh_l0"
    setattr(layer, name, torch.nn.Parameter(getattr(layer, name).detach().as_subclass(Logging)))
    return output_of(layer(input)).as_subclass(Tensor), ", ".join(Logging.log)


def function_mode(nn: ModuleType, kind: str) -> Any:
    class Log(TorchFunctionMode):
        def __init__(self) -> None:
            self.log: list[str] = []

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            self.log.append(getattr(func, "__name__", ""))
            return func(*args, **(kwargs or {}))

    layer, input, _ = made(nn, kind)
    with Log() as mode:
        found = output_of(layer(input))
    return found, str([name for name in mode.log if "rnn" in name])


def dispatch_mode(nn: ModuleType, kind: str) -> Any:
    class Log(TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()
            self.log: list[str] = []

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            self.log.append(str(func))
            return func(*args, **(kwargs or {}))

    layer, input, _ = made(nn, kind)
    with Log() as mode:
        found = output_of(layer(input))
    return found, "aten.tanh.default" in mode.log


def backward_in_a_dispatch_mode(nn: ModuleType, kind: str) -> Any:
    class Nothing(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return func(*args, **(kwargs or {}))

    layer, input, _ = made(nn, kind)
    output = output_of(layer(input))
    with Nothing():
        return torch.autograd.grad(output.square().sum(), [input, *layer.parameters()])


def flops(nn: ModuleType, kind: str) -> Any:
    from torch.utils.flop_counter import FlopCounterMode

    layer, input, _ = made(nn, kind)
    with FlopCounterMode(display=False) as counter:
        layer(input)
    return counter.get_total_flops()


def fake_tensors(nn: ModuleType, kind: str) -> Any:
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        layer = getattr(nn, kind)(3, 5)
        output = output_of(layer(torch.empty(*(() if kind.endswith("Cell") else (4,)), 2, 3)))
        output.sum().backward()
        return type(output).__name__, tuple(output.shape), [p.grad is None for p in layer.parameters()]


def deterministic_algorithms(nn: ModuleType, kind: str) -> Any:
    """These fill new memory with NaN: what is read before it is written shows."""
    torch.use_deterministic_algorithms(True)
    try:
        layer, input, state = made(nn, kind)
        output = output_of(layer(input, state))
        return output, torch.autograd.grad(output.square().sum(), [input, *layer.parameters()])
    finally:
        torch.use_deterministic_algorithms(False)


def profiled(nn: ModuleType, kind: str) -> Any:
    layer, input, _ = made(nn, kind)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]):
        return output_of(layer(input))


def negated_view(nn: ModuleType, kind: str) -> Any:
    layer, input, _ = made(nn, kind)
    return output_of(layer(torch._neg_view(input.detach())))


def imaginary_part(nn: ModuleType, kind: str) -> Any:
    layer, input, _ = made(nn, kind)
    return output_of(layer(torch.complex(input.detach(), 2 * input.detach()).conj().imag))


def zero_tensor(nn: ModuleType, kind: str) -> Any:
    layer, input, _ = made(nn, kind)
    return output_of(layer(torch._efficientzerotensor(input.shape)))


def nested_tensor(nn: ModuleType, kind: str) -> Any:
    layer, _, _ = made(nn, kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nested = torch.nested.nested_tensor([torch.ones(2, 3), torch.ones(4, 3)])
    return output_of(layer(nested))


WAYS: dict[str, Way] = {
    way.__name__: way
    for way in (
        autocast,
        autocast_switched_off,
        autocast_of_another_dtype,
        autocast_of_float16,
        lower_precision,
        subclass,
        subclassed_weight,
        function_mode,
        dispatch_mode,
        backward_in_a_dispatch_mode,
        flops,
        fake_tensors,
        deterministic_algorithms,
        profiled,
        negated_view,
        imaginary_part,
        zero_tensor,
        nested_tensor,
    )
}

OF_AUTOCAST = (autocast, autocast_of_float16)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_it_gives_what_it_gives_with_torch(way: Way, kind: str) -> None:
    if way is zero_tensor and kind == "LSTM":
        pytest.skip("PyTorch's LSTM reads memory that is not there")
    if way in OF_AUTOCAST and kind == "LSTM":
        pytest.skip("PyTorch's LSTM has these on some processors alone: see the next test")
    assert_as_with_torch(way, kind)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_an_lstm_under_autocast_is_the_engines_with_results_of_autocasts_dtype(
    dtype: torch.dtype, engine_calls: list[str]
) -> None:
    layer, input, state = made(elman.nn, "LSTM", bidirectional=True)
    expected = layer(input, state)
    wanted = [input, *layer.parameters()]
    gradients = torch.autograd.grad(expected[0].sum(), wanted)
    engine_calls.clear()
    with torch.autocast("cpu", dtype=dtype):
        output, (h_n, c_n) = layer(input, state)
        of_lower, _ = layer(input.to(dtype), state)
        packed, _ = layer(torch.nn.utils.rnn.pack_sequence([input[:, 0], input[:2, 1]]))
        deep, _ = elman.nn.LSTM(3, 5, 2)(input)
        double, _ = elman.nn.LSTM(3, 5, dtype=torch.float64)(input.double())
    assert engine_calls == ["forward"] * 6
    for one, other in zip((output, h_n, c_n), (expected[0], *expected[1]), strict=True):
        assert torch.equal(one, other.to(dtype))
    assert (packed.data.dtype, deep.dtype, double.dtype) == (dtype, dtype, torch.float64)
    torch.testing.assert_close(of_lower, output, rtol=0.05, atol=0.05)
    for one, other in zip(torch.autograd.grad(output.float().sum(), wanted), gradients, strict=True):
        assert one.dtype is torch.float32
        torch.testing.assert_close(one, other, rtol=0.02, atol=0.02)
