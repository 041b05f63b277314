"""Ours in PyTorch's place, for programs and libraries that take ``torch.nn.RNN`` by its name."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, ContextDecorator
from typing import Any

import torch
from torch import serialization

from elman.nn import _pytorch, _quantization

__all__ = ["in_torch", "install", "uninstall"]

_PLACES = torch.nn, torch.nn.modules, torch.nn.modules.rnn

_lock = threading.Lock()
_installed = False
_blocks = 0
_before: list[tuple[Any, str, Any]] = []  # what stood at each place
_allowed: list[Any] = []  # what we added to the list of torch.load


def install() -> None:
    """Put ``RNN``, ``GRU``, ``LSTM`` and their cells in the place of ``torch.nn``'s, until :func:`uninstall`.

    Whoever then looks one of them up in ``torch.nn``, ``torch.nn.modules`` or ``torch.nn.modules.rnn`` gets
    ours; names that a library has bound already (``from torch.nn import RNN``), models that exist
    (:func:`convert` is for these) and ``torch.nn.Linear`` stay. ``torch.load`` makes ours of the layers in a
    file saved whole, with ``weights_only=True`` too, and ``quantize_dynamic`` knows them. A second call does nothing.

    While they are in place, pickle refuses PyTorch's own layers that were made before: it finds another class under
    their name.

    Example::

        >>> import torch, elman.nn
        >>> elman.nn.install()
        >>> type(torch.nn.LSTM(3, 4))
        <class 'elman.nn.LSTM'>
        >>> elman.nn.uninstall()
        >>> type(torch.nn.LSTM(3, 4))
        <class 'torch.nn.modules.rnn.LSTM'>
    """
    global _installed
    with _lock:
        _installed = True
        _update()


def uninstall() -> None:
    """Undo :func:`install`; within a block of :func:`in_torch` at its end. Does nothing where nothing is installed."""
    global _installed
    with _lock:
        _installed = False
        _update()


def in_torch() -> _InTorch:
    """:func:`install` for the time of a ``with`` block, or of a function that it decorates. Blocks may nest.

    Example::

        >>> import torch, elman.nn
        >>> with elman.nn.in_torch():
        ...     rnn = torch.nn.RNN(3, 4)
        >>> type(rnn)
        <class 'elman.nn.RNN'>
    """
    return _InTorch()


class _InTorch(ContextDecorator, AbstractContextManager[None]):
    def __enter__(self) -> None:
        _count_block(1)

    def __exit__(self, *_: object) -> None:
        _count_block(-1)


def _count_block(change: int) -> None:
    global _blocks
    with _lock:
        _blocks += change
        _update()


def _update() -> None:
    wanted = _installed or _blocks > 0
    if wanted and not _before:
        _put()
    elif not wanted and _before:
        _take_away()


def _put() -> None:
    for place in _PLACES:
        for ours in _ours():
            _before.append((place, ours.__name__, getattr(place, ours.__name__)))
            setattr(place, ours.__name__, ours)
    known: list[Any] = serialization.get_safe_globals()
    candidates: list[Any] = _ours()
    if "tuple" in str(serialization.add_safe_globals.__annotations__).lower():  # PyTorch 2.4 takes no other names
        candidates += [(ours, _name(getattr(_pytorch, ours.__name__))) for ours in _ours()]
    _allowed.extend(candidate for candidate in candidates if candidate not in known)
    serialization.add_safe_globals(_allowed)
    _quantization.put_in_mapping(_ours())


def _take_away() -> None:
    for place, name, before in _before:
        if getattr(place, name) in _ours():  # what others put there since is theirs
            setattr(place, name, before)
    kept = [known for known in serialization.get_safe_globals() if known not in _allowed]
    serialization.clear_safe_globals()
    serialization.add_safe_globals(kept)
    _quantization.take_from_mapping(_ours())
    _before.clear()
    _allowed.clear()


def _ours() -> list[type]:
    from elman import nn

    return [getattr(nn, name) for name in _pytorch.RECURRENT]


def _name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
