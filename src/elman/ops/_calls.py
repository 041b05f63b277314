"""The engine's two calls for a recurrent layer, over tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from elman import _engine
from elman._cells import FAMILIES
from elman._gate import threads
from elman.ops._flops import profiler, tell_products

__all__ = ["backward", "forward"]

_CELLS = {cell: getattr(_engine.Cell, cell) for family in FAMILIES.values() for cell in family.modes.values()}
_forward: Any = _engine.forward
_backward: Any = _engine.backward


def forward(
    cell: str,
    directions: int,
    hidden_size: int,
    input: Tensor,
    h_0: Tensor | None,
    c_0: Tensor | None,
    batch_sizes: Tensor | None,
    weights: list[Tensor],
    keeps: bool,
    places: Tensor | None = None,
) -> tuple[tuple[Tensor, ...], Tensor | None]:
    """The output and the final states, of one step the states alone; and what the backward pass needs besides.

    The latter is None where the cell keeps nothing, and without ``keeps``; its rows are packed though ``places`` say
    where those of the others lie.
    """
    of_call = _CELLS[cell], threads(), directions
    results = _forward(*of_call, input, h_0, c_0, batch_sizes, weights, hidden_size, keeps, places)
    if profiler._is_profiler_enabled:
        each = len(weights) // directions
        tell_products(input, weights[::each])
        tell_products(results[0][0], weights[1::each])
    return results  # type: ignore[no-any-return]


def backward(
    cell: str,
    directions: int,
    hidden_size: int,
    input: Tensor,
    h_0: Tensor | None,
    c_0: Tensor | None,
    batch_sizes: Tensor | None,
    matrices: list[Tensor],
    output: Tensor | None,
    kept: Tensor | None,
    d_output: Tensor | None,
    d_h_n: Tensor | None,
    d_c_n: Tensor | None,
    needed: Sequence[bool],
    deltas: bool = False,
    places: Tensor | None = None,
) -> tuple[Tensor | None, ...]:
    """The gradients that are ``needed``, of input, h_0, c_0 and weights; None for the others.

    ``output`` may be None after one step of a cell that keeps what its backward pass needs. With ``deltas`` those of
    every row come last, ``(directions, rows, features)``: of the gates apart W_ih's, then W_hh's of all gates.
    """
    if profiler._is_profiler_enabled:
        tell_products(input, matrices[::2], needed[0] + needed[3])
        states = next(rows for rows in (output, d_output, d_c_n) if rows is not None)
        tell_products(states, matrices[1::2], 1 + needed[4])
    return _backward(  # type: ignore[no-any-return]
        _CELLS[cell],
        threads(),
        directions,
        input,
        h_0,
        c_0,
        batch_sizes,
        matrices,
        hidden_size,
        output,
        kept,
        d_output,
        d_h_n,
        d_c_n,
        needed,
        deltas,
        places,
    )
