"""The gate of the fast road: what the engine may be handed. All else is PyTorch's own to compute."""

from __future__ import annotations

import ctypes
import importlib
import warnings
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn import Parameter

from elman import _engine
from elman._extras import Extra
from elman._processors import processors

__all__ = [
    "DTYPES",
    "admits",
    "admits_on_device",
    "admits_traced",
    "are_dense",
    "are_plain",
    "fits",
    "innermost",
    "is_autocast",
    "is_differentiated",
    "is_for_the_engine",
    "is_forward_mode",
    "is_of_members",
    "is_plain",
    "is_seen_by_operators",
    "is_traced",
    "is_transformed",
    "nothing_intercepts",
    "threads",
]

DTYPES = (torch.float32, torch.float64)

# Until the engine is told of tensors, it takes none.
is_plain, are_plain, admits = _engine.is_plain, _engine.are_plain, _engine.admits

_processors = processors()
_is_compiling = torch.compiler.is_compiling  # looked up once, as all below: the gate is passed at every call


def threads() -> int:
    """How many the engine may use: PyTorch's number, but no more than there are processors.

    Those that wait for a processor hold up the others: on 8 threads a training step of 4 rows burnt twice the time of
    2 processors that it took one thread.
    """
    return min(torch.get_num_threads(), _processors)


def nothing_intercepts(but_transforms: bool = False) -> bool:
    """Whether operations run as they are written: no autocast, transform, tracing, compilation or mode.

    With ``but_transforms``, whether nothing else than autocast, ``torch.func`` and forward mode stands in the way.
    """
    return (
        not _is_compiling()  # first: the compiler cannot look into the others
        and _dispatch_modes() == 0
        and _tracing_state() is None
        and (
            but_transforms
            or (  # written out, for it is asked at every call
                _functorch_level() is None
                and forward_ad._current_level < 0
                and not (_any_autocast() and torch.is_autocast_enabled("cpu"))
            )
        )
        and (
            _function_modes() == 0
            # a default device touches factories alone, and ours name their device
            or all(isinstance(mode, _DeviceContext) for mode in _function_mode_stack())
        )
    )


def is_transformed() -> bool:
    """Whether a transform of ``torch.func`` is in force."""
    return _functorch_level() is not None


def is_forward_mode() -> bool:
    return forward_ad._current_level >= 0


def is_autocast() -> bool:
    return torch.is_autocast_enabled("cpu")  # which the compiler can look into


def is_differentiated(tensors: Sequence[Tensor | None]) -> bool:
    """Whether a transform in force, or autograd below all, takes gradients of what is computed with these."""
    if _is_compiling():  # which cannot look into the others
        return torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in tensors)
    if any(interpreter.key() == _GRADIENTS for interpreter in _interpreters() or ()):
        return True
    return torch.is_grad_enabled() and any(x is not None and innermost(x).requires_grad for x in tensors)


def innermost(x: Tensor) -> Tensor:
    """The tensor that the transforms have wrapped."""
    while _is_wrapped(x):
        x = _unwrapped(x)
    return x


def is_of_members(x: Any) -> bool:
    """Whether this is a tensor of which each member of a ``vmap`` has its own."""
    while isinstance(x, Tensor) and _is_wrapped(x):
        if _is_batched(x):
            return True
        x = _unwrapped(x)
    return False


def is_traced(input: Any) -> bool:
    """Whether operations on this are recorded, by compilation, export or fake tensors, and see no numbers."""
    return _is_compiling() or (isinstance(input, Tensor) and isinstance(innermost(input), _TRACED))


def is_seen_by_operators(input: Tensor) -> bool:
    """Whether something looks into calls with this that knows operators: a trace or a transform."""
    if is_traced(input):
        return not (is_forward_mode() or torch.is_autocast_enabled("cpu"))
    return is_transformed() and not (is_forward_mode() or is_autocast()) and nothing_intercepts(but_transforms=True)


def fits(
    input: Tensor,
    h_0: Tensor | None,
    c_0: Tensor | None,
    weights: list[Any],
    gates: int,
    input_size: int,
    hidden_size: int,
    layers: int,
    bidirectional: bool,
    bias: bool,
) -> bool:
    """What :func:`admits` says, of tensors of any dtype, under autocast of several, whose numbers are not at hand."""
    directions, each = 2 if bidirectional else 1, 4 if bias else 2
    if input.dim() < 1 or input.shape[-1] != input_size or len(weights) != layers * directions * each:
        return False
    for tensor in [input, *weights, *(state for state in (h_0, c_0) if state is not None)]:
        if not (type(tensor) in (Tensor, Parameter) or isinstance(tensor, _TRACED)) or tensor.is_sparse:
            return False
        if tensor.device != input.device or not tensor.is_floating_point():
            return False
        if tensor.dtype != input.dtype and not torch.is_autocast_enabled("cpu"):
            return False
    for place, weight in enumerate(weights):
        features = input_size if place < each * directions else directions * hidden_size
        rest: tuple[int, ...] = ((features,), (hidden_size,), (), ())[place % each]
        if tuple(weight.shape) != (gates * hidden_size, *rest):
            return False
    return True


def admits_on_device(input: Tensor, *given: Any) -> bool:
    """What :func:`admits` says, of tensors on another device than the CPU: float32 alone."""
    h_0, c_0, weights, *_ = given
    return nothing_intercepts() and fits(input, *given) and are_dense(input, (input, h_0, c_0, *weights))


def are_dense(input: Tensor, tensors: Sequence[Tensor | None]) -> bool:
    """Whether these are plain numbers in float32 on the input's device, and nothing is computed in less there."""
    are_plain_there = all(
        x is None
        or (
            type(x) in (Tensor, Parameter)
            and x.dtype is torch.float32
            and x.device == input.device
            and x.layout is torch.strided
            and not x.is_neg()
        )
        for x in tensors
    )
    return are_plain_there and not torch.is_autocast_enabled(input.device.type)


def is_for_the_engine(input: Tensor) -> bool:
    """Whether this is of a device and a dtype that the engine takes."""
    return input.is_cpu and input.dtype in DTYPES


def admits_traced(input: Tensor, *given: Any) -> bool:
    """What :func:`admits` says, of tensors without numbers; none under autocast."""
    return is_for_the_engine(input) and not torch.is_autocast_enabled("cpu") and fits(input, *given)


def _exchange() -> Any:
    """DLPack's table of C functions, by which the engine reads a tensor in 20 ns, anew at every call."""
    if not hasattr(Tensor, "__dlpack_c_exchange_api__"):  # before PyTorch 2.10
        with Extra("torch", ("torch-c-dlpack-ext",)).needed_by("reading tensors"):
            importlib.import_module("torch_c_dlpack_ext")  # puts it there
    return Tensor.__dlpack_c_exchange_api__


def _use_its_threads() -> None:
    """Have the engine work on PyTorch's own threads, where these are GNU OpenMP's, as in its builds for Linux."""
    with suppress(OSError, AttributeError):  # no such library, or one without these functions: another OpenMP, or none
        openmp = ctypes.CDLL(str(Path(torch.__file__).with_name("lib") / "libtorch_global_deps.so"))
        parallel, max_threads = (
            ctypes.cast(function, ctypes.c_void_p).value or 0
            for function in (openmp.GOMP_parallel, openmp.omp_get_max_threads)
        )
        _engine.use_openmp(parallel, max_threads)


try:
    from torch._subclasses.fake_tensor import FakeTensor
    from torch._subclasses.functional_tensor import FunctionalTensor

    _TRACED: tuple[type, ...] = (FakeTensor, FunctionalTensor)
except ImportError:
    _TRACED = ()

# What the operators call (elman.ops._registered).
after_autograd: Any = None
with_autograd: Any = None
on_one_level: Any = None
innermost_transform: Any = None
below_vmap: Any = None
batched: Any = None
unbatched: Any = None

try:
    # PyTorch's own, which any version may rename: then nothing is known of what intercepts, and PyTorch computes all.
    from torch.overrides import _get_current_function_mode_stack as _function_mode_stack
    from torch.utils._device import DeviceContext as _DeviceContext

    _dispatch_modes = torch._C._len_torch_dispatch_stack
    _functorch_level = torch._C._functorch.peek_interpreter_stack
    _interpreters = torch._C._functorch.get_interpreter_stack
    _is_wrapped = torch._C._functorch.is_functorch_wrapped_tensor
    _is_batched = torch._C._functorch.is_batchedtensor
    _unwrapped = torch._C._functorch.get_unwrapped
    _GRADIENTS = torch._C._functorch.TransformType.Grad
    _tracing_state = torch._C._get_tracing_state
    _function_modes = torch._C._len_torch_function_stack
    _any_autocast = torch._C._is_any_autocast_enabled
    after_autograd = torch._C._after_autograd_keyset
    _of_autograd = torch._C.DispatchKeySet(torch._C.DispatchKey.AutogradCPU)  # on any device
    _included, _excluded = torch._C._dispatch_tls_local_include_set, torch._C._dispatch_tls_local_exclude_set

    def with_autograd() -> Any:
        """Gradients where they are wanted, also within a graph that has none of its own, which runs below autograd."""
        return torch._C._ForceDispatchKeyGuard(_included(), _excluded() - _of_autograd)

    on_one_level = torch._functorch.utils.enable_single_level_autograd_function
    innermost_transform = torch._functorch.pyfunctorch.retrieve_current_functorch_interpreter
    _of_vmap = torch._C.DispatchKeySet(torch._C.DispatchKey.FuncTorchBatched)
    below_vmap = partial(torch._C._ExcludeDispatchKeyGuard, _of_vmap)
    batched, unbatched = torch._C._functorch._add_batch_dim, torch._C._functorch._unwrap_batched
    _flat_weights = torch.nn.RNN._update_flat_weights  # what elman.nn calls
    nothing_intercepts()
    _engine.use_tensors(_exchange(), Tensor, Parameter)
    _use_its_threads()
except Exception as missing:
    warnings.warn(
        f"elman.nn computes by PyTorch's kernels, for with torch {torch.__version__} its engine cannot: {missing}",
        RuntimeWarning,
        stacklevel=2,
    )

    def nothing_intercepts(but_transforms: bool = False) -> bool:
        """Never so, for all that is known."""
        return False

    def is_traced(input: Any) -> bool:
        """Without its operators nothing is."""
        return False

    def is_of_members(x: Any) -> bool:
        """Nor this."""
        return False
