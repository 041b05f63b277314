"""Small layers and cells, made the same way of ``torch.nn`` and of ``elman.nn``, and what they come to."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call

import elman.nn
from elman.nn._pytorch import RECURRENT
from tests.nn.cases import outcome, output_of

KINDS = [*RECURRENT]
Way = Callable[[ModuleType, str], Any]


def made(nn: ModuleType, kind: str, dtype: torch.dtype = torch.float32, **options: Any) -> tuple[Any, Tensor, Any]:
    """A layer, an input that needs gradients and a state, for an LSTM two."""
    torch.manual_seed(1)
    layer = getattr(nn, kind)(3, 5, **options).to(dtype)
    is_layer = not kind.endswith("Cell")
    states = layer.num_layers * (1 + layer.bidirectional) if is_layer else 0
    input = torch.randn(*(4,) * is_layer, 2, 3, dtype=dtype, requires_grad=True)
    state = torch.randn(*(states,) * is_layer, 2, 5, dtype=dtype)
    return layer, input, (state, state * 0.5) if kind.startswith("LSTM") else state


def as_function(layer: torch.nn.Module) -> tuple[Callable[..., Tensor], dict[str, Tensor]]:
    """The output as a function of the weights by name and the inputs; and the weights."""
    parameters = {name: p.detach() for name, p in layer.named_parameters()}
    return lambda weights, *args: output_of(functional_call(layer, weights, args)), parameters


def weight(kind: str, name: str = "weight_hh") -> str:
    return name if kind.endswith("Cell") else f"{name}_l0"


def assert_as_with_torch(way: Way, kind: str) -> None:
    """What a user sees is the same; warnings aside: the first to use some of these is told that it is deprecated."""
    ours, theirs = (outcome(lambda nn: way(nn, kind), nn)[0] for nn in (elman.nn, torch.nn))
    assert ours == theirs
