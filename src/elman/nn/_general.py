"""The forward pass with what PyTorch's layers lack: lengths, resets, learned initial states, every layer's states,
a width for each layer, residual connections.

Layer by layer on the engine, or where it takes no input by ``elman.reference``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import dropout
from torch.nn.utils.rnn import PackedSequence

from elman import _gate, ops
from elman.nn._given import flags_of, lengths_of, on_cpu
from elman.nn._layouts import Layout, Packed, Padded, Traced, cut, cut_tensors
from elman.ops import _calls, _operators
from elman.ops._cells import BUILT_IN
from elman.ops._dropout import dropped

if TYPE_CHECKING:
    from elman.nn._recurrent import Layer

__all__ = ["Call", "States", "run"]

States = list[Tensor | None]  # an h, of an LSTM its c too


@dataclass
class Call:
    """What all layers of a call run with: the rows' layout, and what it says of them (see ``Layout.rows``)."""

    layer: Any
    layout: Layout
    batch_sizes: Tensor | None
    places: Tensor | None
    at_resets: list[States]  # of each layer
    every: bool  # all states are wanted, after every step


# One layer, by its place: its rows and the states before them come to the output, the last states (directions, rows of
# the first step, width) and, where every state is wanted, those but h after every step.
_RunLayer = Callable[[Call, int, Tensor, States], list[Tensor]]


def run(
    layer: Any,
    input: Any,
    hx: Any,
    lengths: Any,
    resets: Any,
    return_states: bool,
    run_layer: _RunLayer | None = None,
) -> tuple[Any, ...] | None:
    """What ``layer.forward`` returns for these; None where the call means no more than PyTorch's.

    ``run_layer`` runs one of its layers, where its cell is not PyTorch's.
    """
    # masks of dropout are drawn over packed rows, and a cell of one's own runs over those alone
    drops = len(layer._widths) > 1 and layer.dropout and layer.training
    in_place = run_layer is None and not drops and _gate.nothing_intercepts()
    layout, is_batched = _layout(layer, input, lengths, resets, in_place)
    given = _given(layer, hx, layout, is_batched)
    if run_layer is None and layout.is_plain and not (return_states or layer._additions):
        return None
    rows, batch_sizes, places = layout.rows()
    call = Call(layer, layout, batch_sizes, places, _learned(layer), return_states)
    final, states = [], []
    for index, of_layer in enumerate(given):
        if index and drops:
            rows = _dropped(rows, layer.dropout, layout)
        pairs = [*zip(of_layer, call.at_resets[index], strict=True)]
        before = [layout.begin(*pair) for pair in pairs]
        output, *after = (run_layer or _run_layer)(call, index, rows, before)
        every = [output, *after[len(before) :]]  # h, of an LSTM c too
        final.append([layout.end(x, *pair) for x, pair in zip(after[: len(before)], pairs, strict=True)])
        rows = output + rows if layer.residual and index and output.shape == rows.shape else output
        if return_states:
            states.append([layout.back(each) for each in every])
    last = states[-1][0] if states and rows is output else layout.back(rows)
    return _as_asked(layer, last, final, states if return_states else None, is_batched)


def _dropped(rows: Tensor, p: float, layout: Layout) -> Tensor:
    if isinstance(layout, Traced) and not layout.is_plain:
        return dropped(rows, p=p, **layout.cuts)
    return dropout(rows, p, True)


def _as_asked(
    layer: Layer, output: Any, final: list[list[Tensor]], states: list[list[Any]] | None, is_batched: bool
) -> tuple[Any, ...]:
    def one(x: Any) -> Any:
        return x if is_batched else x.squeeze(1)

    kinds = [tuple(map(one, of_layers)) for of_layers in zip(*final, strict=True)]  # h_n, of an LSTM c_n
    h_n = [x if layer._has_widths else x[0] if len(x) == 1 else torch.cat(x) for x in kinds]
    results = one(output), h_n[0] if len(h_n) == 1 else tuple(h_n)
    if states is None:
        return results
    return *results, tuple(one(x[0]) if len(x) == 1 else tuple(map(one, x)) for x in states)


def _layout(layer: Layer, input: Any, lengths: Any, resets: Any, in_place: bool) -> tuple[Layout, bool]:
    """Where the rows lie, and whether they are a batch's."""
    if layer.proj_size:
        raise ValueError(
            f"proj_size: expected 0 with lengths, resets or return_states, for projections are PyTorch's layer's, "
            f"got {layer.proj_size}"
        )
    if isinstance(input, PackedSequence):
        for name, argument in (("lengths", lengths), ("resets", resets)):
            if argument is not None:
                raise ValueError(
                    f"{name}: expected padded input beside it, got a PackedSequence, which has its lengths"
                )
        layer.check_input(input.data, input.batch_sizes)
        if not _gate.is_traced(input.data):
            sizes = input.batch_sizes.tolist()
            if not sizes or sizes[-1] < 1 or sizes != sorted(sizes, reverse=True) or sum(sizes) != len(input.data):
                raise ValueError("input: expected batch_sizes that never grow, of as many rows as there are")
        return Packed(input), True
    if not isinstance(input, Tensor):
        raise TypeError(f"input: expected a Tensor or a PackedSequence, got {type(input).__name__}")
    if input.dim() not in (2, 3):
        raise ValueError(f"{layer._title}: Expected input to be 2D or 3D, got {input.dim()}D instead")
    if resets is not None and layer.bidirectional:
        raise ValueError(
            "resets: expected a layer in one direction, for the reverse one would run into what a reset ends"
        )
    is_batched = input.dim() == 3
    batch_first = is_batched and layer.batch_first
    x = input if is_batched else input.unsqueeze(1)
    layer.check_input(x, None)
    steps, batch = x.shape[1::-1] if batch_first else x.shape[:2]
    has_no_numbers = _gate.is_traced(x) or _gate.is_of_members(lengths) or _gate.is_of_members(resets)
    pieces: Any = NotImplemented
    if is_batched and not has_no_numbers:
        pieces = cut_tensors(lengths, resets, steps, batch, batch_first)
    if pieces is NotImplemented:
        of_batch = (batch,) if is_batched else ()
        ends = None if lengths is None else lengths_of(lengths, of_batch, steps).reshape(batch)
        flags = None
        if resets is not None:
            shape = (*of_batch, steps) if batch_first else (steps, *of_batch)
            axes = "(batch, steps)" if batch_first else "(steps, batch)" if is_batched else "(steps)"
            flags = flags_of("resets", resets, shape, axes)
            flags = flags.swapaxes(0, 1) if batch_first else flags.reshape(steps, batch)
        if has_no_numbers:
            return Traced(x, batch_first, lengths=_tensor(ends), resets=_tensor(flags)), is_batched
        ends, flags = (None if given is None else on_cpu(given) for given in (ends, flags))
        pieces = cut(ends, flags, steps, batch)
    in_place = in_place and x.is_cpu  # other back ends take packed rows
    return Padded(x, batch_first, pieces, in_place), is_batched


def _tensor(given: Any) -> Tensor | None:
    return None if given is None else torch.as_tensor(given)


def _given(layer: Layer, hx: Any, layout: Layout, is_batched: bool) -> list[States]:
    """The initial states that are given, of each layer (directions, batch, width)."""
    count, widths, directions = layer._states, layer._widths, 2 if layer.bidirectional else 1
    if hx is None:
        return [[None] * count for _ in widths]
    of_batch = (layout.batch,) if is_batched else ()
    names = [f"{name}_0" for name in layer._state_names]
    kinds = hx if count > 1 else (hx,)
    if not isinstance(kinds, tuple | list) or len(kinds) != count:
        raise TypeError(f"hx: expected a tuple ({', '.join(names)}), got {type(hx).__name__}")
    states = []
    for name, state in zip(names, kinds, strict=True):
        if layer._has_widths:
            if not isinstance(state, tuple | list) or len(state) != len(widths):
                raise ValueError(f"{name}: expected a tuple of {len(widths)} tensors, one a layer, got {_said(state)}")
            of_layers = state
        elif not isinstance(state, Tensor):
            raise TypeError(f"{name}: expected a Tensor, got {_said(state)}")
        else:
            _check(name, state, (len(widths) * directions, *of_batch, widths[0]))
            of_layers = state.split(directions)
        for index, (of_layer, width) in enumerate(zip(of_layers, widths, strict=True)):
            _check(f"{name} of layer {index}", of_layer, (directions, *of_batch, width))
            if of_layer.dtype != layout.dtype and of_layer.device.type == "cpu" and not _gate.is_autocast():
                raise ValueError(f"{name}: expected {layout.dtype}, as the input, got {of_layer.dtype}")
        states.append([x if is_batched else x.unsqueeze(1) for x in of_layers])
    return [[*of_layer] for of_layer in zip(*states, strict=True)]


def _check(name: str, state: Any, expected: tuple[int, ...]) -> None:
    if not isinstance(state, Tensor) or state.shape != expected:
        raise ValueError(f"{name}: expected {expected}, got {_said(state)}")


def _said(state: Any) -> str:
    if isinstance(state, Tensor):
        return str(tuple(state.shape))
    return f"{type(state).__name__} of {len(state)}" if isinstance(state, tuple | list) else type(state).__name__


def _learned(layer: Layer) -> list[States]:
    """The initial states (directions, width) that each layer learns."""
    if not layer.learn_initial_state:
        return [[None] * layer._states for _ in layer._widths]
    return [
        [
            torch.stack([getattr(layer, f"{kind}_0_l{index}{suffix}") for suffix in layer._suffixes])
            for kind in layer._state_names
        ]
        for index in range(len(layer._widths))
    ]


def _run_layer(call: Call, index: int, rows: Tensor, before: States) -> list[Tensor]:
    layer, layout, width = call.layer, call.layout, call.layer._widths[index]
    directions, cell = 2 if layer.bidirectional else 1, layer._modes[layer.mode]
    names = layer._all_weights[index * directions : (index + 1) * directions]
    weights = [getattr(layer, name) for of_direction in names for name in of_direction]
    h_0, c_0 = (*before, None)[:2]
    every_c = call.every and layer._states == 2
    sizes = layer._gates, rows.shape[-1], width, 1, layer.bidirectional, layer.bias
    given = rows, call.batch_sizes, h_0, c_0, weights, width, cell, directions
    if _gate.nothing_intercepts() and _gate.admits(rows, h_0, c_0, weights, *sizes):
        return [*ops.layer(*given, every_c=every_c, places=call.places)]
    if isinstance(layout, Traced) and not layout.is_plain:
        h_reset, c_reset = (*call.at_resets[index], None)[:2]
        return [*_operators.transformed(*given, every_c=every_c, **layout.cuts, h_reset=h_reset, c_reset=c_reset)]
    admits, run, _ = layer._road(rows)
    if admits is not None and admits(rows, h_0, c_0, weights, *sizes):
        return [*run(*given, every_c=every_c)]
    one = _calls.Call(BUILT_IN[cell], directions, width, call.batch_sizes, call.places)
    return _calls.composed(one, rows, h_0, c_0, *weights, every=every_c)
