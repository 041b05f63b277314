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


def put_in_mapping(layers: list[type[Module]]) -> None:
    """These have PyTorch's names now."""
    for ours in layers:
        theirs = getattr(_pytorch, ours.__name__)
        if theirs in _mapping:
            _mapping[ours] = _mapping[theirs]


def take_from_mapping(layers: list[type[Module]]) -> None:
    for ours in layers:
        _mapping.pop(ours, None)


def _propagate_qconfig(module: Module, qconfig_dict: Any = None, *args: Any, **kwargs: Any) -> Any:
    """The first step of each kind of quantization: it says to every module how it is to be quantized."""
    from elman import nn

    is_installed = torch.nn.RNNCell is nn.RNNCell  # then this is the class that PyTorch looks for
    pairs = {getattr(_pytorch, name): getattr(nn, name) for name in _pytorch.RECURRENT}
    names: dict[Any, Any] = pairs if is_installed else {ours: theirs for theirs, ours in pairs.items()}
    names = names | {nn.Linear: _pytorch.Linear}
    qconfig_dict = {names.get(key, key): qconfig for key, qconfig in (qconfig_dict or {}).items()}
    changed = []
    for part in module.modules():
        if part is module or (isinstance(part, _pytorch.RNN) and names.get(nn.RNN, nn.RNN) not in qconfig_dict):
            continue  # float in PyTorch too
        if is_installed and isinstance(part, (*pairs,)):
            convert_layer(part)
        elif isinstance(part, (*pairs.values(), nn.Linear)) and convert_layer(part, back=True) is None:
            changed.append(part)
    result = _propagate(module, qconfig_dict, *args, **kwargs)
    for part in module.modules():
        if getattr(part, "_additions", None):
            part.qconfig = None  # type: ignore[assignment]  # PyTorch's quantized layer lacks what this one has
    for part in changed:
        if getattr(part, "qconfig", None) is None:
            convert_layer(part, linear=True)
    return result
