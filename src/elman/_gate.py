"""The gate of the fast road: what the engine may be handed. All else is PyTorch's own to compute."""

from typing import Any

import torch
from torch import Tensor, strided
from torch.autograd import forward_ad
from torch.nn import Parameter
from torch.overrides import _get_current_function_mode_stack
from torch.utils._device import DeviceContext

__all__ = ["DTYPES", "is_plain", "nothing_intercepts"]

DTYPES = (torch.float32, torch.float64)


def is_plain(tensor: Any) -> bool:
    """Whether this is a tensor whose address and strides say all about it: no subclass, dense, on the CPU."""
    kind = type(tensor)
    return (
        (kind is Tensor or kind is Parameter)
        and tensor.is_cpu
        and tensor.layout is strided
        and not tensor.is_nested
        and not tensor.is_neg()
        and (tensor.data_ptr() != 0 or tensor.numel() == 0)  # storage freed, or never there
    )


def nothing_intercepts() -> bool:
    """Whether operations run as they are written: no autocast, transform, tracing, compilation or mode."""
    return (
        not torch.compiler.is_compiling()  # first: the compiler cannot look into the others
        and torch._C._len_torch_dispatch_stack() == 0
        and torch._C._functorch.peek_interpreter_stack() is None
        and torch._C._get_tracing_state() is None
        and forward_ad._current_level < 0
        and not torch.is_autocast_enabled("cpu")
        and (
            torch._C._len_torch_function_stack() == 0
            # a default device touches factories alone, and ours name their device
            or all(isinstance(mode, DeviceContext) for mode in _get_current_function_mode_stack())
        )
    )
