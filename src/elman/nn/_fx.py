"""``torch.fx`` takes modules of ``torch.nn`` for one call each; ours tell it so themselves."""

from __future__ import annotations

from typing import Any

import torch
from torch.fx import Proxy

from elman.nn import _pytorch
from elman.nn._convert import convert_layer

__all__ = ["leaf", "traces"]


def traces(module: torch.nn.Module, input: Any) -> bool:
    """Whether ``torch.fx`` traces a model that holds ``module``, not ``module`` itself."""
    return isinstance(input, Proxy) and input.tracer.root is not module  # type: ignore[attr-defined]


def leaf(module: torch.nn.Module, *inputs: Any, **asked: Any) -> Proxy:
    """One call in the traced graph."""
    tracer: Any = inputs[0].tracer
    if type(tracer).__module__.startswith("torch.ao.quantization") and not isinstance(module, _pytorch.RNN):
        convert_layer(module, back=True)  # it goes by a module's very class, and puts a quantized one in its place
    return tracer.create_proxy("call_module", tracer.path_of_module(module), inputs, asked)  # type: ignore[no-any-return]
