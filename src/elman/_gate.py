"""The gate of the fast road: what the engine may be handed. All else is PyTorch's own to compute."""

from __future__ import annotations

import ctypes
import importlib
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn import Parameter

from elman import _engine
from elman._extras import Extra

__all__ = ["DTYPES", "admits", "admits_traced", "are_plain", "is_plain", "is_traced", "nothing_intercepts"]

DTYPES = (torch.float32, torch.float64)

# Until the engine is told of tensors, it takes none.
is_plain, are_plain, admits = _engine.is_plain, _engine.are_plain, _engine.admits

_is_compiling = torch.compiler.is_compiling  # looked up once, as all below: the gate is passed at every call


def nothing_intercepts() -> bool:
    """Whether operations run as they are written: no autocast, transform, tracing, compilation or mode."""
    return (
        not _is_compiling()  # first: the compiler cannot look into the others
        and _dispatch_modes() == 0
        and _functorch_level() is None
        and _tracing_state() is None
        and forward_ad._current_level < 0
        and not (_any_autocast() and torch.is_autocast_enabled("cpu"))
        and (
            _function_modes() == 0
            # a default device touches factories alone, and ours name their device
            or all(isinstance(mode, _DeviceContext) for mode in _function_mode_stack())
        )
    )


def is_traced(input: Any) -> bool:
    """Whether operations on this are recorded, by compilation, export or fake tensors, and see no numbers."""
    return _is_compiling() or isinstance(input, _TRACED)


def admits_traced(
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
    """What :func:`admits` says, of tensors without numbers; none under autocast."""
    directions, each = 2 if bidirectional else 1, 4 if bias else 2
    tensors = [input, *weights, *(state for state in (h_0, c_0) if state is not None)]
    if input.dim() < 1 or input.shape[-1] != input_size or len(weights) != layers * directions * each:
        return False
    for tensor in tensors:
        is_plain = type(tensor) in (Tensor, Parameter) or isinstance(tensor, _TRACED)
        if not is_plain or tensor.device.type != "cpu" or tensor.dtype != input.dtype or tensor.is_sparse:
            return False
    for place, weight in enumerate(weights):
        features = input_size if place < each * directions else directions * hidden_size
        rest: tuple[int, ...] = ((features,), (hidden_size,), (), ())[place % each]
        if tuple(weight.shape) != (gates * hidden_size, *rest):
            return False
    return input.dtype in DTYPES and not torch.is_autocast_enabled("cpu")


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

try:
    # PyTorch's own, which any version may rename: then nothing is known of what intercepts, and PyTorch computes all.
    from torch.overrides import _get_current_function_mode_stack as _function_mode_stack
    from torch.utils._device import DeviceContext as _DeviceContext

    _dispatch_modes = torch._C._len_torch_dispatch_stack
    _functorch_level = torch._C._functorch.peek_interpreter_stack
    _tracing_state = torch._C._get_tracing_state
    _function_modes = torch._C._len_torch_function_stack
    _any_autocast = torch._C._is_any_autocast_enabled
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

    def nothing_intercepts() -> bool:
        """Never so, for all that is known."""
        return False
