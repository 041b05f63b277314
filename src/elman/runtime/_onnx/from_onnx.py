"""ONNX in; the package onnx is imported when it is needed."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING

from elman._extras import Extra

if TYPE_CHECKING:
    from elman.runtime._onnx.model import OnnxModel

__all__ = ["from_onnx", "require_onnx"]


def from_onnx(path: str | PathLike[str]) -> OnnxModel:
    """Read an ONNX model with RNN, GRU or LSTM nodes (needs the package ``onnx``).

    Such nodes of any kind run on the engine, where the cell is one of elman's, or on NumPy (other activations, clip, a
    GRU with ``linear_before_reset`` 0, an LSTM with ``input_forget`` or peepholes); all other nodes on ONNX's reference
    implementation, which is slow, but right. Refused are models without such a node (PyTorch writes an RNN only
    with ``dynamo=False``), with control flow, with functions, with operators of other domains than ONNX's own, and with
    tensors outside the file.

    Args:
        path: the file.

    Returns:
        The model: ``outputs = model({"X": x})``, arrays by the graph's names, of which ``model.inputs`` and
        ``model.outputs`` tell.

    Raises:
        InputError: it is no such model, or damaged. Nothing in a file is ever executed.
        ImportError: the package ``onnx`` is not installed.

    Example:
        >>> import numpy as np, elman
        >>> weights = {"weight_ih_l0": np.ones((3, 2), "float32"), "weight_hh_l0": np.ones((3, 3), "float32")}
        >>> elman.runtime.export(elman.runtime.RNN(weights), "rnn.onnx")
        >>> model = elman.runtime.from_onnx("rnn.onnx")
        >>> outputs = model({"input": np.ones((5, 4, 2)), "h_0": np.zeros((1, 4, 3))})
        >>> outputs["output"].shape, outputs["h_n"].shape
        ((5, 4, 3), (1, 4, 3))
    """
    require_onnx("reading")
    from elman.runtime._onnx.model import OnnxModel

    return OnnxModel(path)


def require_onnx(doing: str) -> None:
    """Raise ImportError, with what to do about it, if the package ``onnx`` is not installed."""
    Extra("onnx", ("onnx",)).require(f"{doing} ONNX")
