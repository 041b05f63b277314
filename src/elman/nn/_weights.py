"""The weights and biases inside a module, by name and by gate, for initialisers and parametrizations."""

from __future__ import annotations

import sys
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.utils import parametrize

from elman._cells import FAMILIES
from elman._checks import is_number
from elman._errors import listed, shown
from elman.cells import Cell
from elman.nn import _pytorch

__all__ = ["assign", "built_in_family", "matrices", "number", "parameter_names", "recurrent_modules", "set_values"]


def matrices(module: Module, name: str) -> list[tuple[Module, str, int]]:
    """The matrices of a module and of those inside it whose names match: whose it is, its name, and its gates.

    Raises:
        TypeError, ValueError: this is no module, or has no such matrix.
    """
    if not isinstance(name, str):
        raise TypeError(f"name: expected a pattern such as 'weight_hh*', got {shown(name)}")
    there = [
        (owner, own)
        for owner in _modules(module)
        for own in parameter_names(owner)
        if isinstance(weight := getattr(owner, own), Tensor) and weight.dim() == 2
    ]
    # a weight_hr, of an LSTM with projections, has no gates
    found = [
        (owner, own, max(1, len(_gates_of(owner))) if own.startswith(("weight_ih", "weight_hh")) else 1)
        for owner, own in there
        if fnmatchcase(own, name)
    ]
    if not found:
        known = listed(sorted({own for _, own in there})) or "it has none"
        raise ValueError(f"name: expected to match a matrix of the {type(module).__name__} ({known}), got {name!r}")
    for owner, own, _ in found:
        if isinstance(owner.__dict__.get(computed := own.rpartition("_")[0]), Tensor):
            raise ValueError(f"{computed}: expected a parameter, got what pruning or other hooks compute from {own}")
    return found


def recurrent_modules(module: Module) -> list[tuple[Module, tuple[str, ...]]]:
    """The recurrent layers and cells among a module and those inside it, with the names of their gates.

    Raises:
        TypeError, ValueError: this is no module, or holds none.
    """
    found = [(each, gates) for each in _modules(module) if (gates := _gates_of(each))]
    if not found:
        raise ValueError(f"module: expected a recurrent layer or cell, or what holds one, got {type(module).__name__}")
    return found


def parameter_names(module: Any) -> list[str]:
    """The names of a module's own parameters, parametrized or not."""
    names = (*module._parameters, *getattr(module, "parametrizations", ()))
    return [name for name in names if getattr(module, name) is not None]


def built_in_family(module: Module) -> str:
    """The name of the family of PyTorch's layers and cells, and of ours, that a module is of; "" if of none."""
    kinds = ((getattr(_pytorch, family.title + of), name) for name, family in FAMILIES.items() for of in ("", "Cell"))
    return next((name for kind, name in kinds if isinstance(module, kind)), "")


def _gates_of(module: Module) -> tuple[str, ...]:
    cell = getattr(module, "cell", None)
    if isinstance(cell, Cell):
        return cell.program.gates
    family = FAMILIES.get(built_in_family(module))
    return tuple(family.gates) if family else ()


def _modules(module: Any) -> list[Module]:
    if not isinstance(module, Module):
        raise TypeError(f"module: expected a torch.nn.Module, got {type(module).__name__}")
    return [each for each in module.modules() if not isinstance(each, parametrize.ParametrizationList)]


def set_values(owner: Module, name: str, values: Tensor) -> None:
    """Give a parameter or buffer these values, through its parametrizations where it has some."""
    with torch.no_grad():
        tensor = getattr(owner, name)
        if parametrize.is_parametrized(owner, name):
            setattr(owner, name, values.to(tensor))
        else:
            tensor.copy_(values)


def assign(owner: Module, name: str, values: Tensor) -> None:
    """Give a parameter these values.

    Raises:
        ValueError: its parametrizations cannot come to these values; it keeps those it has.
    """
    before = getattr(owner, name).detach().clone()
    set_values(owner, name, values)
    after = getattr(owner, name).detach()
    if parametrize.is_parametrized(owner, name) and not torch.allclose(after, values.to(after), rtol=1e-4, atol=1e-5):
        set_values(owner, name, before)
        raise ValueError(f"{name}: expected weights that its parametrizations allow, and these are none")


def number(name: str, value: Any, least: float, *, itself: bool = True) -> float:
    """Return a finite number of at least this much, or above it.

    Raises:
        ValueError: it is none.
    """
    fits = is_number(value) and value <= sys.float_info.max
    if not fits or not (value >= least if itself else value > least):
        above = f" of {least:g} or more" if itself else f" above {least:g}"
        raise ValueError(f"{name}: expected a number{above if least > -float('inf') else ''}, got {shown(value)}")
    return float(value)
