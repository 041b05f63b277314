"""The weights' gradients: sums over all steps and rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from torch import Tensor

from elman.ops._calls import Call
from elman.ops._cells import EngineCell
from elman.ops._cuda._launches import Kernel, Queue, Rows, address, packed
from elman.ops._cuda._plan import Limits

__all__ = ["weight_gradients"]

_SUM = Kernel("sum_gradients", "GradientArguments", 256)
_ADD = Kernel("add_groups", "GroupArguments", 256)
_GRADIENT_TILE, _GRADIENT_BYTES = 32, (2 * 128 + 4 * 32) * 36 * 4  # of sum_gradients
_GROUP_ROWS = 1024
_MOST_PARTIAL_SUMS = 1 << 26  # of all groups at once
_MOST_BLOCKS = 65535  # of a grid, along y


class FedBack(NamedTuple):
    """Where the state lies that W_hh multiplies.

    Args:
        rows: the address of those after each step, in one direction.
        direction: numbers from there to those of the other direction.
        width: numbers from one row to the next.
        first: the address of those before the first step, 0 for zeros.
    """

    rows: int
    direction: int
    width: int
    first: int


def weight_gradients(
    queue: Queue,
    limits: Limits,
    call: Call,
    rows: Rows,
    input: Tensor,
    fed_back: FedBack,
    deltas: Tensor,
    places: Tensor,
    needed: Sequence[bool],
    of_units: Sequence[bool],
) -> tuple[list[Tensor | None], list[Tensor | None]]:
    """Those of the weights that are needed, and those of what a program is given by unit, views of one tensor."""
    if not any(needed) and not any(of_units):
        return [None] * len(needed), [None] * len(of_units)
    of_cell, directions, units, *_ = call
    each, features, width = len(needed) // directions, input.shape[-1], deltas.shape[-1]
    # of one direction, of both
    wanted = *(any(needed[weight::each]) for weight in range(each)), *[False] * (4 - each), any(of_units)
    laid_out = _gradient_layout(of_cell, units, features, rows.total, directions, wanted, limits.multiprocessors)
    all_sizes = directions * laid_out.size
    flat = input.new_empty(all_sizes)
    sums = flat if laid_out.splits == 1 else input.new_empty(laid_out.splits, all_sizes)
    to, of_deltas, of_places = address(sums), address(deltas), address(places)
    fields = []
    for direction in range(directions):
        first = direction * laid_out.size
        of_weights = [0 if start is None else to + 4 * (first + start) for start in laid_out.starts]
        of_order = of_places + 4 * direction * rows.total
        fields.append(
            (
                *(rows.total, units, of_cell.gates, of_cell.apart, features, of_cell.inputs[0]),
                *(of_deltas + 4 * direction * rows.total * width, of_order, of_order + 4 * directions * rows.total),
                *(address(input), fed_back.rows + 4 * direction * fed_back.direction, fed_back.width),
                *(fed_back.first and fed_back.first + 4 * direction * rows.batch * units, *of_weights),
                *(all_sizes, laid_out.groups_at_once),
            )
        )
    if laid_out.tiles:  # none of a weight_ih alone where there are no features
        queue.launch(
            _SUM, (laid_out.tiles, laid_out.splits, directions), _SUM.threads, _GRADIENT_BYTES, packed(*fields)
        )
    if laid_out.tiles and laid_out.splits > 1:
        arguments = packed((laid_out.splits, all_sizes, to, address(flat)))
        queue.launch(_ADD, (-(-all_sizes // _ADD.threads), 1, 1), _ADD.threads, 0, arguments)
    pieces = iter(flat.split(laid_out.sizes * directions))
    gate_rows = of_cell.gates * units
    shapes = (gate_rows, features), (gate_rows, units), (gate_rows,), (gate_rows,), (of_cell.inputs[0], units)
    # of each direction its weights, and all that it is given by unit
    of_all = [
        [next(pieces).view(shape) if want else None for want, shape in zip(wanted, shapes, strict=True)]
        for _ in range(directions)
    ]
    weights = [x for *of_weights, _ in of_all for x in of_weights[:each]]
    inputs = [x for *_, of_inputs in of_all for x in ([] if of_inputs is None else of_inputs)]
    return (
        [x if need else None for x, need in zip(weights, needed, strict=True)],
        [x if need else None for x, need in zip(inputs or [None] * len(of_units), of_units, strict=True)],
    )


class _GradientLayout(NamedTuple):
    """Where the gradients of a direction's weights stand among all, and how their sums are shared out."""

    sizes: list[int]  # of those that are wanted
    starts: tuple[int | None, ...]  # of weight_ih, weight_hh, bias_ih, bias_hh and what is given by unit
    size: int  # of all
    tiles: int
    splits: int  # of the groups of rows, which are then added
    groups_at_once: int


@lru_cache
def _gradient_layout(
    of_cell: EngineCell,
    units: int,
    features: int,
    rows: int,
    directions: int,
    wanted: tuple[bool, ...],
    multiprocessors: int,
) -> _GradientLayout:
    gate_rows = of_cell.gates * units
    unit_inputs = of_cell.inputs[0] * units
    all_sizes = gate_rows * features, gate_rows * units, gate_rows, gate_rows, unit_inputs
    sizes: list[int] = []
    starts: list[int | None] = [None] * len(all_sizes)
    for weight, want in enumerate(wanted):
        if want:
            starts[weight] = sum(sizes)
            sizes.append(all_sizes[weight])
    down, width = -(-gate_rows // _GRADIENT_TILE), (of_cell.gates + of_cell.apart) * units + unit_inputs
    columns = [k for k, want in zip((features, units), wanted, strict=False) if want]
    tiles = sum(down * -(-k // _GRADIENT_TILE) for k in columns)
    tiles += -(-width // _SUM.threads) if any(wanted[2:]) else 0
    groups = -(-rows // _GROUP_ROWS)
    is_busy = tiles * directions >= 4 * multiprocessors
    in_one = is_busy or groups > _MOST_BLOCKS or groups * directions * sum(sizes) > _MOST_PARTIAL_SUMS
    splits = 1 if in_one else groups
    return _GradientLayout(sizes, tuple(starts), sum(sizes), tiles, splits, -(-groups // splits))
