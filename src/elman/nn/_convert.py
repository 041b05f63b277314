"""The layers inside a model, from PyTorch's classes to ours and back, where they stand."""

from __future__ import annotations

import inspect
import sys
import types
import warnings
from functools import cache
from typing import Any, TypeVar

import torch
from torch.nn import Module
from torch.nn.modules.lazy import LazyModuleMixin

from elman.nn import _pytorch

__all__ = ["convert", "convert_layer"]

_Model = TypeVar("_Model", bound=Module)

# What PyTorch's forward calls of these, ours does not: a subclass that has its own would lose it.
_STEPS_OF_FORWARD = (
    "check_forward_args",
    "check_input",
    "check_hidden_size",
    "get_expected_hidden_size",
    "get_expected_cell_size",
    "permute_hidden",
)


def convert(model: _Model, *, linear: bool = False, back: bool = False) -> _Model:
    """Turn the ``torch.nn.RNN``, ``GRU``, ``LSTM`` and their cells inside a model into :mod:`elman.nn`'s in place.

    The modules stay the same objects with another class: parameters (an optimizer goes on with them), buffers, hooks,
    flags, parametrizations and pruning are kept, and a module that stands at two places stays one. A subclass keeps its
    methods, and ``super().forward`` in a ``forward`` of its own is ours. Left as they are, and named in one warning:
    subclasses whose ``forward`` calls no ``super()``, or that have their own of the methods that PyTorch's ``forward``
    consists of; and what TorchScript has compiled.

    Args:
        model: any module, a single layer too.
        linear: ``torch.nn.Linear`` as well.
        back: the other way: all that is :mod:`elman.nn`'s becomes PyTorch's, ``Linear`` included.

    Returns:
        The model itself.

    Raises:
        TypeError: ``model`` is no module.

    Example::

        >>> import torch, elman.nn
        >>> model = elman.nn.convert(torch.nn.ModuleDict({"encoder": torch.nn.RNN(3, 4)}))
        >>> type(model["encoder"])
        <class 'elman.nn.RNN'>
    """
    if not isinstance(model, Module):
        raise TypeError(f"model: expected a torch.nn.Module, got {type(model).__name__}")
    left = []
    for name, module in model.named_modules():
        reason = convert_layer(module, linear=linear, back=back)
        if reason:
            left.append(f"{name or 'the model itself'} ({reason})")
    if left:
        warnings.warn(f"elman.nn.convert left as they are: {', '.join(left)}", stacklevel=2)
    return model


def convert_layer(module: Module, *, linear: bool = False, back: bool = False) -> str | None:
    """Convert one module, if it is one of the layers; the reason, if it is one and has to stay as it is."""
    pairs = _pairs(linear or back)
    if isinstance(module, torch.jit.ScriptModule):
        if not back and getattr(module, "original_name", None) in [theirs.__name__ for theirs in pairs]:
            return "compiled by TorchScript"
        return None
    kind = next((theirs for theirs in pairs if isinstance(module, theirs)), None)
    if kind is None or isinstance(module, pairs[kind]) != back:
        return None
    additions: Any = getattr(module, "_additions", None)
    if back and additions:
        return f"PyTorch's has no {additions}"
    try:
        module.__class__ = (_theirs if back else _ours)(type(module), kind, pairs[kind])
    except _NoCounterpartError as error:
        return str(error)
    return None


class _NoCounterpartError(Exception):
    """Why a class has no counterpart."""


def _pairs(linear: bool) -> dict[type[Module], type[Module]]:
    from elman import nn

    return {getattr(_pytorch, name): getattr(nn, name) for name in (*_pytorch.RECURRENT, *["Linear"] * linear)}


def _ours(cls: Any, theirs: Any, ours: Any) -> Any:
    if cls is theirs:
        return ours
    if _is_made_by_pytorch(cls):
        return _on_other_bases(cls, [_ours(b, theirs, ours) if issubclass(b, theirs) else b for b in cls.__bases__])
    if issubclass(cls, LazyModuleMixin):
        raise _NoCounterpartError(f"{cls.__name__} has seen no input yet")
    for name in _STEPS_OF_FORWARD:
        if getattr(cls, name, None) is not getattr(theirs, name, None):
            raise _NoCounterpartError(f"{cls.__name__} has its own {name}")
    if not _reaches_forward(cls, theirs):
        raise _NoCounterpartError(f"{cls.__name__} has its own forward")
    return _joined(cls, ours)


def _reaches_forward(cls: type, theirs: type) -> bool:
    """Whether each ``forward`` before PyTorch's calls the next one, by what its code names: the last is then ours."""
    before = cls.__mro__[: cls.__mro__.index(theirs)]
    own = [inspect.unwrap(base.__dict__["forward"]) for base in before if "forward" in base.__dict__]
    return all(inspect.isfunction(forward) and "super" in forward.__code__.co_names for forward in own)


def _theirs(cls: Any, theirs: Any, ours: Any) -> Any:
    if cls is ours:
        return theirs
    if _is_made_by_pytorch(cls):
        return _on_other_bases(cls, [_theirs(b, theirs, ours) if issubclass(b, ours) else b for b in cls.__bases__])
    if _Joined in cls.__bases__:
        return cls.__bases__[0]
    raise _NoCounterpartError(f"{cls.__name__} is derived from elman.nn.{ours.__name__}")


def _is_made_by_pytorch(cls: type) -> bool:
    """Whether PyTorch made the class for one module, as ``parametrize`` and ``fully_shard`` do."""
    if not cls.__module__.startswith("torch."):
        return False
    return getattr(sys.modules.get(cls.__module__), cls.__name__, None) is not cls


def _on_other_bases(cls: type, bases: list[type]) -> type:
    members = {name: value for name, value in vars(cls).items() if name not in ("__dict__", "__weakref__")}
    return types.new_class(cls.__name__, tuple(bases), exec_body=lambda namespace: namespace.update(members))


class _Joined:
    """A user's subclass of PyTorch's layer whose inherited methods are ours: (the subclass, this, our class)."""

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        # pickle finds classes by name, and there is none for this one
        reduced: Any = super().__reduce_ex__(protocol)
        original, _, ours = type(self).__bases__
        return _new_joined, (original, ours), *reduced[2:]


@cache
def _joined(cls: Any, ours: Any) -> type:
    names = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
    # the subclass first, whose layout in memory an object has to keep, which ABC among its bases makes another
    return types.new_class(cls.__name__, (cls, _Joined, ours), exec_body=lambda namespace: namespace.update(names))


def _new_joined(cls: type, ours: type) -> Any:
    joined: Any = _joined(cls, ours)
    return joined.__new__(joined)
