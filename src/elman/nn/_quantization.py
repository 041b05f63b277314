"""``torch.ao.quantization`` goes by a module's very class: what it quantizes has to be PyTorch's while it does so."""

from __future__ import annotations

import importlib
from typing import Any

import torch
from torch.nn import Module

from elman.nn import _pytorch
from elman.nn._convert import convert_layer

__all__ = ["follow_quantization", "put_in_mapping", "take_from_mapping"]

try:
    # import torch has imported it already; the package's name for it is that of a function
    _quantize: Any = importlib.import_module("torch.ao.quantization.quantize")
    _propagate: Any = _quantize.propagate_qconfig_
    _mapping: dict[Any, Any] = _quantize.get_default_dynamic_quant_module_mappings()
except (ImportError, AttributeError):  # PyTorch means to move it elsewhere
    _propagate, _mapping = None, {}


def follow_quantization() -> None:
    """Have ``quantize_dynamic``, ``prepare`` and ``prepare_qat`` see PyTorch's classes in place of ours."""
    if _propagate is not None:
        _quantize.propagate_qconfig_ = _propagate_qconfig


def put_in_mapping(cell: type[Module]) -> None:
    """``cell`` is called ``torch.nn.RNNCell`` now."""
    if _pytorch.RNNCell in _mapping:
        _mapping[cell] = _mapping[_pytorch.RNNCell]


def take_from_mapping(cell: type[Module]) -> None:
    _mapping.pop(cell, None)


def _propagate_qconfig(module: Module, qconfig_dict: Any = None, *args: Any, **kwargs: Any) -> Any:
    """The first step of each kind of quantization: it says to every module how it is to be quantized."""
    from elman.nn import RNN, Linear, RNNCell

    is_installed = torch.nn.RNNCell is RNNCell  # then this is the class that PyTorch looks for
    names: dict[Any, Any] = {Linear: _pytorch.Linear}
    names |= {_pytorch.RNNCell: RNNCell} if is_installed else {RNNCell: _pytorch.RNNCell, RNN: _pytorch.RNN}
    qconfig_dict = {names.get(key, key): qconfig for key, qconfig in (qconfig_dict or {}).items()}
    changed = []
    for part in module.modules():
        if part is module or (isinstance(part, RNN) and _pytorch.RNN not in qconfig_dict):  # float in PyTorch too
            continue
        if is_installed and isinstance(part, _pytorch.RNNCell):
            convert_layer(part)
        elif isinstance(part, (RNN, RNNCell, Linear)) and convert_layer(part, back=True) is None:
            changed.append(part)
    result = _propagate(module, qconfig_dict, *args, **kwargs)
    for part in changed:
        if getattr(part, "qconfig", None) is None:
            convert_layer(part, linear=True)
    return result
