"""PyTorch's transforms, modes, tracers and checkpoints: each gives what it gives with torch.nn."""

import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.autograd.graph import save_on_cpu, saved_tensors_hooks
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vjp, vmap
from torch.nn.utils.rnn import pack_padded_sequence
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint

import elman.nn
from elman.nn._pytorch import RECURRENT
from tests.nn.cases import outcome, output_of

KINDS = [*RECURRENT]


def made(nn: ModuleType, kind: str, dtype: torch.dtype = torch.float32) -> tuple[torch.nn.Module, Tensor, Any]:
    """A layer, an input that needs gradients and a state, for an LSTM two."""
    torch.manual_seed(1)
    layer = getattr(nn, kind)(3, 5).to(dtype)
    is_layer = not kind.endswith("Cell")
    input = torch.randn(*(4,) * is_layer, 2, 3, dtype=dtype, requires_grad=True)
    state = torch.randn(*(1,) * is_layer, 2, 5, dtype=dtype)
    return layer, input, (state, state * 0.5) if kind.startswith("LSTM") else state


def as_function(layer: torch.nn.Module) -> tuple[Callable[..., Tensor], dict[str, Tensor]]:
    parameters = {name: p.detach() for name, p in layer.named_parameters()}
    return lambda weights, *args: output_of(functional_call(layer, weights, args)), parameters


def functional(nn: ModuleType, kind: str) -> Any:
    layer, input, state = made(nn, kind)
    f, weights = as_function(layer)
    return f({name: w * 2 for name, w in weights.items()}, input, state)


def functional_gradient(nn: ModuleType, kind: str) -> Any:
    layer, input, state = made(nn, kind)
    f, weights = as_function(layer)
    return tuple(grad(lambda w: f(w, input.detach(), state).square().sum())(weights).values())


def per_sample_gradients(nn: ModuleType, kind: str) -> Any:
    layer, input, _ = made(nn, kind)
    f, weights = as_function(layer)
    one = grad(lambda w, x: f(w, x).square().sum())
    batch = input.detach().dim() - 2
    return tuple(vmap(one, in_dims=(None, batch))(weights, input.detach()).values())


def ensemble(nn: ModuleType, kind: str) -> Any:
    layer, input, state = made(nn, kind)
    f, weights = as_function(layer)
    stacked = {name: torch.stack([w, 2 * w]) for name, w in weights.items()}
    return vmap(f, in_dims=(0, None, None))(stacked, input, state)


def vmap_over_inputs(nn: ModuleType, kind: str) -> Any:
    layer, input, _ = made(nn, kind)
    return vmap(lambda x: output_of(layer(x)))(torch.stack([input, 2 * input, 3 * input]))


def jvp_of_input(nn: ModuleType, kind: str) -> Any:
    layer, input, _ = made(nn, kind)
    return jvp(lambda x: output_of(layer(x)), (input,), (torch.ones_like(input),))


def vjp_of_input(nn: ModuleType, kind: str) -> Any:
    layer, input, _ = made(nn, kind)
    output, back = vjp(lambda x: output_of(layer(x)), input)
    return output, *back(torch.ones_like(output))


def jacobian_reverse(nn: ModuleType, kind: str) -> Any:
    layer, input, _ = made(nn, kind)
    return jacrev(lambda x: output_of(layer(x)))(input)


def jacobian_forward(nn: ModuleType, kind: str) -> Any:
    layer, input, _ = made(nn, kind)
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
    layer, input, _ = made(nn, kind)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(input.detach(), torch.ones_like(input))
        return tuple(forward_ad.unpack_dual(output_of(layer(dual))))


def forward_mode_level_without_duals(nn: ModuleType, kind: str) -> Any:
    layer, input, _ = made(nn, kind)
    with forward_ad.dual_level():
        return output_of(layer(input))


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


def traced(nn: ModuleType, kind: str) -> Any:
    layer, input, state = made(nn, kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.jit.trace(layer, (input.detach(), state))
    return output_of(program(2 * input, state))


def scripted(nn: ModuleType, kind: str) -> Any:
    layer, input, state = made(nn, kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.jit.script(layer)
        found = program(input, state)
        packed = program(pack_padded_sequence(input, torch.tensor([4, 2])))[1] if input.dim() == 3 else 0
        layer(input)  # the layer itself is none the worse for it
    return found, packed, type(layer).__module__ == nn.__name__ or nn is torch.nn


def scripted_inside_a_model(nn: ModuleType, kind: str) -> Any:
    class Model(torch.nn.Module):
        def __init__(self, layer: torch.nn.Module) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x)[0]

    layer, input, _ = made(nn, kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(Model(layer))(input)


def fx_leaf(nn: ModuleType, kind: str) -> Any:
    layer, input, _ = made(nn, kind)
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), layer)
    program = torch.fx.symbolic_trace(model)
    return output_of(program(input)), str([node.op for node in program.graph.nodes])


def fx_itself(nn: ModuleType, kind: str) -> Any:
    layer, _, _ = made(nn, kind)
    try:
        torch.fx.symbolic_trace(layer)
    except Exception as error:
        return type(error).__name__
    return "traced"


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


def deterministic_algorithms(nn: ModuleType, kind: str) -> Any:
    """These fill new memory with NaN: what is read before it is written shows."""
    torch.use_deterministic_algorithms(True)
    try:
        layer, input, state = made(nn, kind)
        output = output_of(layer(input, state))
        return output, torch.autograd.grad(output.square().sum(), [input, *layer.parameters()])
    finally:
        torch.use_deterministic_algorithms(False)


def exported(nn: ModuleType, kind: str) -> Any:
    layer, input, state = made(nn, kind)
    program = torch.export.export(layer.eval(), (input.detach(), state))
    return output_of(program.module()(2 * input.detach(), state))


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


WAYS = {
    way.__name__: way
    for way in (
        functional,
        functional_gradient,
        per_sample_gradients,
        ensemble,
        vmap_over_inputs,
        jvp_of_input,
        vjp_of_input,
        jacobian_reverse,
        jacobian_forward,
        hessian_of_input,
        old_jacobian,
        batched_gradients,
        forward_mode,
        forward_mode_level_without_duals,
        autocast,
        autocast_switched_off,
        autocast_of_another_dtype,
        subclass,
        subclassed_weight,
        function_mode,
        dispatch_mode,
        backward_in_a_dispatch_mode,
        flops,
        fake_tensors,
        traced,
        scripted,
        scripted_inside_a_model,
        fx_leaf,
        fx_itself,
        checkpointed,
        checkpointed_reentrant,
        hooked_saves,
        saved_on_cpu,
        anomaly_mode,
        deterministic_algorithms,
        exported,
        profiled,
        negated_view,
        imaginary_part,
        zero_tensor,
        nested_tensor,
    )
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_it_gives_what_it_gives_with_torch(way: Callable[[ModuleType, str], Any], kind: str) -> None:
    if way is exported and not kind.endswith("Cell") and torch.__version__[:4] in ("2.4.", "2.5.", "2.6.", "2.7."):
        pytest.skip("PyTorch up to 2.7 exports no subclass of its RNN")
    if way is zero_tensor and kind == "LSTM":
        pytest.skip("PyTorch's LSTM reads memory that is not there")
    # Warnings aside: the first to use some of these is told that it is deprecated.
    ours, theirs = (outcome(lambda nn: way(nn, kind), nn)[0] for nn in (elman.nn, torch.nn))
    assert ours == theirs


def test_a_transform_leaves_the_fast_road_as_it_was() -> None:
    layer, input, state = made(elman.nn, "RNN")
    expected = layer(input, state)[0]
    for way in WAYS.values():
        outcome(lambda nn, way=way: way(nn, "RNN"), elman.nn)
        assert torch.equal(layer(input, state)[0], expected), way.__name__


@pytest.mark.filterwarnings("ignore:`torch.cpu.amp.autocast:FutureWarning")  # of PyTorch 2.4, to itself
def test_checkpointed_gradients_have_the_bits_of_plain_ones() -> None:
    layer, input, state = made(elman.nn, "RNN")
    wanted = [input, *layer.parameters()]
    plain = torch.autograd.grad(layer(input, state)[0].square().sum(), wanted)
    again = torch.autograd.grad(checkpoint(layer, input, state, use_reentrant=False)[0].square().sum(), wanted)
    for one, other in zip(plain, again, strict=True):
        assert torch.equal(one, other)
