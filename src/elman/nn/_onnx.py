"""ONNX's own ``RNN``, ``GRU`` and ``LSTM`` for our operators, in what ``torch.onnx.export(dynamo=True)`` writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import torch

from elman._cells import FAMILIES
from elman.nn._when_imported import when_imported
from elman.ops._arguments import Arguments
from elman.ops._cells import BUILT_IN

__all__ = ["follow_onnx", "onnx_translations"]

_TITLES = {"tanh": "Tanh", "relu": "Relu"}


def follow_onnx() -> None:
    """From now on PyTorch's exporter knows our operators."""
    when_imported("torch.onnx._internal.exporter._registration", _follow)


def _follow(registration: ModuleType) -> None:
    cls = getattr(registration, "ONNXRegistry", None)
    from_torchlib: Any = getattr(cls, "from_torchlib", None)
    if cls is None or from_torchlib is None or not hasattr(cls, "register_op"):
        return  # in a version of PyTorch with other names onnx_translations() has to be given to it

    def with_ours(*args: Any, **kwargs: Any) -> Any:
        registry = from_torchlib(*args, **kwargs)
        for operator, translation in onnx_translations().items():
            registry.register_op(operator, translation)
        return registry

    cls.from_torchlib = staticmethod(with_ours)


def onnx_translations() -> dict[Any, Callable[..., Any]]:
    """What ``torch.onnx.export(..., custom_translation_table=)`` takes; it is not needed but where a message says so.

    Returns:
        For each operator of this library the function that writes ONNX's nodes.
    """
    return {torch.ops.elman.layer.default: _layer}


def _opset() -> Any:
    from onnxscript import opset18  # PyTorch's exporter needs it, and says so

    return opset18


def _layer(*given: Any) -> tuple[Any, ...]:
    arguments = Arguments(*given[:-1])
    input, batch_sizes, lengths, resets = arguments[:4]
    for name, value in (("a PackedSequence", batch_sizes), ("resets", resets)):
        if value is not None:
            raise ValueError(f"torch.onnx.export: expected padded input and no resets, got {name}: ONNX has none")
    if arguments.cell not in BUILT_IN:
        raise ValueError("torch.onnx.export: expected RNN, GRU or LSTM, got a cell of one's own: ONNX has no programs")
    if arguments.every and BUILT_IN[arguments.cell].states > 1:
        raise ValueError(
            "torch.onnx.export: expected return_states=False of an LSTM: ONNX gives c of the last step alone"
        )
    op = _opset()
    batch = op.Shape(input, start=1, end=2)
    states = [
        given if given is not None or at_resets is None else _expanded(op, at_resets, batch)
        for given, at_resets in ((arguments.h_0, arguments.h_reset), (arguments.c_0, arguments.c_reset))
    ]
    sequence_lens = None if lengths is None else op.Cast(lengths, to=6)  # int32
    output, h_n, *c_n = _node(op, input, sequence_lens, states, arguments.given, arguments.cell, arguments.directions)
    output = op.Reshape(op.Transpose(output, perm=[0, 2, 1, 3]), op.Constant(value_ints=[0, 0, -1]))
    nothing = op.Constant(value_floats=[0.0])
    return output, h_n, *(c_n or [nothing]), nothing, nothing


def _node(
    op: Any, input: Any, sequence_lens: Any, states: list[Any], weights: Sequence[Any], cell: str, directions: int
) -> Sequence[Any]:
    """Its outputs Y, Y_h and of an LSTM Y_c."""
    family = next(family for family in FAMILIES.values() if cell in family.modes.values())
    each, units = len(weights) // directions, int(weights[1].shape[1])
    of_directions = [
        [_in_order(op, weight, family.gates, family.onnx_gates) for weight in weights[first : first + each]]
        for first in range(0, len(weights), each)
    ]
    w, r, *biases = (_stacked(op, of_kind) for of_kind in zip(*of_directions, strict=True))
    b = op.Concat(*biases, axis=1) if biases else None
    attributes: dict[str, Any] = {"hidden_size": units}
    attributes["direction"] = "bidirectional" if directions == 2 else "forward"
    if cell in _TITLES:
        attributes["activations"] = [_TITLES[cell]] * directions
    if family.apart:
        attributes["linear_before_reset"] = 1
    node = getattr(op, family.title)
    return node(input, w, r, b, sequence_lens, *states[: len(family.states)], **attributes)  # type: ignore[no-any-return]


def _in_order(op: Any, weight: Any, gates: str, onnx_gates: str) -> Any:
    """Blocks of rows from PyTorch's order to ONNX's."""
    if gates == onnx_gates:
        return weight
    units = int(weight.shape[0]) // len(gates)
    rows = [row for gate in onnx_gates for row in range(gates.index(gate) * units, (gates.index(gate) + 1) * units)]
    return op.Gather(weight, op.Constant(value_ints=rows), axis=0)


def _stacked(op: Any, of_directions: Sequence[Any]) -> Any:
    first = op.Constant(value_ints=[0])
    return op.Concat(*(op.Unsqueeze(weight, first) for weight in of_directions), axis=0)


def _expanded(op: Any, state: Any, batch: Any) -> Any:
    """(directions, hidden_size) for each sequence."""
    directions, units = (op.Constant(value_ints=[int(size)]) for size in state.shape)
    return op.Expand(op.Unsqueeze(state, op.Constant(value_ints=[1])), op.Concat(directions, batch, units, axis=0))
