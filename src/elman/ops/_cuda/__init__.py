"""The engine's layers on NVIDIA's GPUs, by kernels of the same bits (``engine/cuda``): experimental.

Nothing here is imported, nor any of NVIDIA's packages, until somebody asks for it.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from elman import _gate
from elman._errors import one_line
from elman._extras import Extra
from elman.ops._back_ends import BACK_ENDS, BackEnd
from elman.ops._calls import Call
from elman.ops._cells import BUILT_IN

if TYPE_CHECKING:
    from elman.ops._cuda._launches import Launcher

__all__ = ["back_end", "is_asked_for", "use", "use_when_needed"]

_EXTRA = Extra("cuda", ("cuda-bindings",))


def is_asked_for() -> bool:
    """Whether the environment variable ``ELMAN_CUDA`` is 1.

    Raises:
        ValueError: it is neither that nor 0 or empty.
    """
    asked = os.environ.get("ELMAN_CUDA", "")
    if asked not in ("", "0", "1"):
        raise ValueError(f"ELMAN_CUDA: expected 0 or 1, got {asked!r}")
    return asked == "1"


def use(wanted: bool) -> bool:
    """Have the kernels compute what is on GPUs from now on, or PyTorch again; whether the kernels do."""
    if not wanted:
        BACK_ENDS.pop("cuda", None)
        return False
    reason = _why_not()
    if reason is None:
        BACK_ENDS["cuda"] = back_end(_gpu())
    else:
        BACK_ENDS.pop("cuda", None)
        _warn(reason)
    return reason is None


def back_end(launcher: Launcher) -> BackEnd:
    """Layers by a launcher's kernels."""
    from elman.ops._cuda._launches import is_within
    from elman.ops._cuda._layer import run

    def admits(input: Tensor, h_0: Any, c_0: Any, weights: list[Any], gates: int, *sizes: Any) -> bool:
        cell, hidden_size = BUILT_IN[{1: "tanh", 3: "gru", 4: "lstm"}[gates]], sizes[1]
        return _gate.admits_on_device(input, h_0, c_0, weights, gates, *sizes) and is_within(
            launcher, cell, input.device, hidden_size, input.shape[:-1].numel()
        )

    def takes(call: Call, tensors: Sequence[Tensor | None]) -> bool:
        input = tensors[0]
        return (
            input is not None
            and _gate.nothing_intercepts()
            and _gate.are_dense(input, tensors)
            and call.fits(tensors)
            and is_within(launcher, call.cell, input.device, call.hidden_size, input.shape[:-1].numel())
        )

    return BackEnd(admits, takes, partial(run, launcher))


def use_when_needed() -> None:
    """:func:`use`, once there is something on a GPU to compute: until then nothing of CUDA is begun."""

    def later(question: str) -> Callable[..., bool]:
        return lambda *given: use(True) and getattr(BACK_ENDS["cuda"], question)(*given)

    run = lambda *given, **options: BACK_ENDS["cuda"].run(*given, **options)  # noqa: E731
    BACK_ENDS["cuda"] = BackEnd(later("admits"), later("takes"), run)


@cache
def _gpu() -> Any:
    from elman.ops._cuda._device import Gpu

    return Gpu()


def _why_not() -> str | None:
    """What keeps the kernels from running here, in one line; None where nothing does."""
    if not torch.version.cuda:  # for AMD's GPUs too PyTorch says cuda
        return "this PyTorch is built without CUDA"
    if not torch.cuda.is_available():
        return "PyTorch finds no GPU"
    try:
        with _EXTRA.needed_by("elman.nn.use_cuda_engine"):
            from elman.ops._cuda._device import Gpu  # noqa: F401
        _gpu().prepare(torch.device("cuda", torch.cuda.current_device()))
    except Exception as error:  # of packages and drivers of any version
        return one_line(error)
    return None


def _warn(reason: str) -> None:
    warnings.warn(f"PyTorch's kernels compute on GPUs, not elman's: {reason}", RuntimeWarning, stacklevel=4)
