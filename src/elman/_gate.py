"""The gate of the fast road: what the engine may be handed. All else is PyTorch's own to compute."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn import Parameter
from torch.overrides import _get_current_function_mode_stack
from torch.utils._device import DeviceContext

from elman import _engine

__all__ = ["DTYPES", "admits", "are_plain", "is_plain", "nothing_intercepts"]

DTYPES = (torch.float32, torch.float64)

# The engine reads tensors through DLPack's table of C functions, in 20 ns each, and looks at every one anew at every
# call. Whatever it finds no sense in is PyTorch's to compute.
_engine.use_tensors(Tensor.__dlpack_c_exchange_api__, Tensor, Parameter)  # type: ignore[arg-type]
is_plain, are_plain, admits = _engine.is_plain, _engine.are_plain, _engine.admits

# looked up once: the gate is passed at every call
_is_compiling = torch.compiler.is_compiling
_dispatch_modes = torch._C._len_torch_dispatch_stack
_functorch_level = torch._C._functorch.peek_interpreter_stack
_tracing_state = torch._C._get_tracing_state
_function_modes = torch._C._len_torch_function_stack
_any_autocast = torch._C._is_any_autocast_enabled


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
            or all(isinstance(mode, DeviceContext) for mode in _get_current_function_mode_stack())
        )
    )
