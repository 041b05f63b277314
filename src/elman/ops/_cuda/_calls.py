"""The kernels' calls for a recurrent layer, over tensors: what ``elman.ops._calls`` has of the engine."""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from elman._cells import FAMILIES
from elman.ops._cuda._plan import Limits, Plan, plan, thread_limit

__all__ = ["Kernel", "Launcher", "Queue", "backward", "forward", "is_within"]

_FAMILY = {cell: family for family in FAMILIES.values() for cell in family.modes.values()}
_TILE, _TILE_THREADS, _TILE_BYTES = 64, 256, 2 * 16 * 68 * 4  # of multiply_tiles
_GRADIENT_TILE, _GRADIENT_BYTES = 32, (2 * 128 + 4 * 32) * 36 * 4  # of sum_gradients
_GROUP_ROWS = 1024
_MOST_PARTIAL_SUMS = 1 << 26  # of all groups at once
_MOST_BLOCKS = 65535  # of a grid, along y
_MOST_ROWS = (1 << 31) - 1  # whose places are 32-bit numbers


class Kernel(NamedTuple):
    """A function of ``engine/cuda``, the struct it takes and the most threads of its blocks."""

    function: str
    arguments: str
    threads: int


class Queue(Protocol):
    """What runs kernels one after another, for the time of a call."""

    stream: int

    def launch(
        self, kernel: Kernel, grid: tuple[int, int, int], threads: int, shared_bytes: int, arguments: bytes
    ) -> None: ...


class Launcher(Protocol):
    """A kind of device, or what stands in for one."""

    def limits(self, device: torch.device) -> Limits: ...

    def on(self, device: torch.device) -> AbstractContextManager[Queue]: ...


def is_within(launcher: Launcher, cell: str, device: torch.device, hidden_size: int, rows: int) -> bool:
    """Whether the device has room for a layer's steps, forward and back."""
    of_cell, limits = _Sizes.of(cell), launcher.limits(device)
    return (
        0 < rows <= _MOST_ROWS
        and _forward_plan(of_cell, hidden_size, 1, limits) is not None
        and _backward_plan(of_cell, hidden_size, 1, limits) is not None
    )


class _Sizes(NamedTuple):
    """A cell's, as ``engine/include/elman/cells.h`` has them."""

    cell: str
    gates: int
    apart: int
    states: int
    kept: int

    @staticmethod
    def of(cell: str) -> _Sizes:
        family = _FAMILY[cell]
        return _Sizes(cell, len(family.gates), len(family.apart), len(family.states), family.kept)


def _forward_plan(of_cell: _Sizes, units: int, batch: int, limits: Limits) -> Plan | None:
    return plan(units, of_cell.gates * units, units if of_cell.states > 1 else 0, batch, limits)


def _backward_plan(of_cell: _Sizes, units: int, batch: int, limits: Limits) -> Plan | None:
    return plan(of_cell.gates * units, units, units if of_cell.gates > 1 else 0, batch, limits)


class _Rows(NamedTuple):
    """Which rows take part in which step."""

    steps: int
    batch: int
    total: int
    offsets: Tensor | None  # (steps + 1) on the device, of packed input

    @staticmethod
    def of(input: Tensor, batch_sizes: Tensor | None, stream: int) -> _Rows:
        if batch_sizes is None:
            steps, batch = (1, input.shape[0]) if input.dim() == 2 else input.shape[:2]
            return _Rows(steps, batch, steps * batch, None)
        sizes = tuple(batch_sizes.tolist())
        return _Rows(len(sizes), sizes[0], input.shape[0], _offsets_on(input.device, stream, sizes))

    def sequence(self, reverse: bool) -> tuple[int, ...]:
        return self.steps, self.batch, _address(self.offsets), reverse


# Of batches as they repeat: what is copied once per stream needs no waiting, nor can a graph's capture miss it.
_offsets: OrderedDict[tuple[Any, ...], Tensor] = OrderedDict()


def _offsets_on(device: torch.device, stream: int, sizes: tuple[int, ...]) -> Tensor:
    key = device, stream, sizes
    found = _offsets.pop(key, None)
    if found is None:
        found = torch.tensor([0, *sizes]).cumsum(0).to(device, non_blocking=True)
    _offsets[key] = found
    while len(_offsets) > 64:
        _offsets.popitem(last=False)
    return found


def _address(tensor: Tensor | None, offset: int = 0) -> int:
    return 0 if tensor is None else tensor.data_ptr() + 4 * offset


def _packed(*of_directions: Iterable[int]) -> bytes:
    """The structs of two directions, of which the second may be missing."""
    numbers = [*map(int, of_directions[0])]
    for direction in of_directions[1:]:
        numbers.extend(map(int, direction))
    return struct.pack(f"{len(numbers)}q", *numbers).ljust(16 * len(numbers) // len(of_directions), b"\0")


def _step_weights(matrix: Tensor, laid_out: Plan, is_forward: bool) -> tuple[list[int], Tensor]:
    """The fields of a StepWeights, and the tensor that they point into."""
    rows, columns = matrix.shape
    if is_forward:  # each column of the product is a row of W_hh
        if laid_out.reads_memory:  # neighbouring threads then read neighbouring weights
            matrix = matrix.t().contiguous()
            strides = rows, 1
        else:
            strides = 1, columns
        sizes = columns, rows
    else:
        strides, sizes = (columns, 1), (rows, columns)
    of_plan = laid_out.parts, laid_out.blocks, laid_out.shared_blocks
    return [_address(matrix), *strides, *sizes, *of_plan], matrix


def _launch_steps(
    queue: Queue, function: str, arguments: str, of_cell: _Sizes, laid_out: Plan, batch: int, fields: list[Any]
) -> None:
    text = f"{function}<{of_cell.cell}_cell,{laid_out.rows},{laid_out.held}>"
    grid = -(-batch // laid_out.rows), 1, len(fields)
    kernel = Kernel(text, arguments, thread_limit(laid_out.held))
    queue.launch(kernel, grid, laid_out.threads, laid_out.shared_bytes, _packed(*fields))


def _multiply(queue: Queue, rows: int, columns: int, fields: Sequence[Any]) -> None:
    grid = -(-rows // _TILE), -(-columns // _TILE), len(fields)
    kernel = Kernel("multiply_tiles", "ProductArguments", _TILE_THREADS)
    queue.launch(kernel, grid, _TILE_THREADS, _TILE_BYTES, _packed(*fields))


def forward(
    launcher: Launcher,
    cell: str,
    directions: int,
    hidden_size: int,
    input: Tensor,
    h_0: Tensor | None,
    c_0: Tensor | None,
    batch_sizes: Tensor | None,
    weights: Sequence[Tensor],
    keeps: bool,
) -> tuple[tuple[Tensor, ...], Tensor | None]:
    """The output and the final states, and what the backward pass needs besides: see :func:`elman.ops._calls.forward`.

    All tensors are contiguous, but for batch sizes on the device.
    """
    of_cell, units, features = _Sizes.of(cell), hidden_size, input.shape[-1]
    gate_rows, each = of_cell.gates * units, len(weights) // directions
    with launcher.on(input.device) as queue:
        rows = _Rows.of(input, batch_sizes, queue.stream)
        laid_out = _forward_plan(of_cell, units, rows.batch, launcher.limits(input.device))
        assert laid_out is not None, "is_within has been asked"
        new = input.new_empty
        output = new(*input.shape[:-1], directions * units)
        h_n = new(directions, rows.batch, units)
        c_n = new(directions, rows.batch, units) if of_cell.states > 1 else None
        is_kept = keeps and of_cell.kept > 0
        width = (of_cell.kept if is_kept else of_cell.gates) * units
        sums = output if of_cell.gates == 1 else new(directions, rows.total, width)
        products, steps, alive = [], [], []
        for direction in range(directions):
            w_ih, w_hh, *biases = weights[direction * each : (direction + 1) * each]
            b_ih, b_hh = biases or (None, None)
            if sums is output:
                to, to_width = _address(output, direction * units), directions * units
            else:
                to, to_width = _address(sums, direction * rows.total * width), width
            added = (of_cell.gates - of_cell.apart) * units
            products.append(
                (
                    *(rows.total, features, gate_rows),
                    *(_address(input), features, _address(w_ih), 1, features, 0),
                    *(_address(b_ih), _address(b_hh), added, True, to, to_width, False),
                )
            )
            of_weights, matrix = _step_weights(w_hh, laid_out, True)
            alive.append(matrix)
            of_states = direction * rows.batch * units
            steps.append(
                (
                    *rows.sequence(direction == 1),
                    *of_weights,
                    units,
                    _address(b_hh, added) if of_cell.apart and b_hh is not None else 0,
                    *(0 if x is None else _address(x, of_states) for x in (h_0, c_0)),
                    *(to, to_width, _address(output, direction * units), directions * units),
                    *(0 if x is None else _address(x, of_states) for x in (h_n, c_n)),
                    is_kept,
                )
            )
        _multiply(queue, rows.total, gate_rows, products)
        _launch_steps(queue, "forward_steps", "ForwardArguments", of_cell, laid_out, rows.batch, steps)
    results = (output, h_n) if c_n is None else (output, h_n, c_n)
    return results, sums if is_kept else None


def backward(
    launcher: Launcher,
    cell: str,
    directions: int,
    hidden_size: int,
    input: Tensor,
    h_0: Tensor | None,
    c_0: Tensor | None,
    batch_sizes: Tensor | None,
    matrices: Sequence[Tensor],
    output: Tensor,
    kept: Tensor | None,
    d_output: Tensor | None,
    d_h_n: Tensor | None,
    d_c_n: Tensor | None,
    needed: Sequence[bool],
) -> list[Tensor | None]:
    """The gradients that are ``needed``, of input, h_0, c_0 and weights; None for the others.

    All tensors are contiguous, but for batch sizes on the device.
    """
    of_cell, units, features = _Sizes.of(cell), hidden_size, input.shape[-1]
    each = (len(needed) - 3) // directions
    with launcher.on(input.device) as queue:
        rows = _Rows.of(input, batch_sizes, queue.stream)
        laid_out = _backward_plan(of_cell, units, rows.batch, launcher.limits(input.device))
        assert laid_out is not None, "is_within has been asked"
        new = input.new_empty
        width, kept_width = (of_cell.gates + of_cell.apart) * units, of_cell.kept * units
        deltas = new(directions, rows.total, width)
        places = new(2, directions, rows.total, dtype=torch.int32)
        d_input = new(input.shape) if needed[0] else None
        d_h_0 = new(directions, rows.batch, units) if needed[1] else None
        d_c_0 = new(directions, rows.batch, units) if needed[2] else None
        steps, alive = [], []
        for direction in range(directions):
            of_weights, matrix = _step_weights(matrices[2 * direction + 1], laid_out, False)
            alive.append(matrix)
            of_states = direction * rows.batch * units
            steps.append(
                (
                    *rows.sequence(direction == 1),
                    *of_weights,
                    units,
                    *(0 if x is None else _address(x, of_states) for x in (h_0, c_0)),
                    *(_address(output, direction * units), directions * units),
                    0 if kept is None else _address(kept, direction * rows.total * kept_width),
                    0 if d_output is None else _address(d_output, direction * units),
                    directions * units,
                    *(0 if x is None else _address(x, of_states) for x in (d_h_n, d_c_n)),
                    _address(deltas, direction * rows.total * width),
                    *(_address(of_kind, direction * rows.total) for of_kind in places),
                    *(0 if x is None else _address(x, of_states) for x in (d_h_0, d_c_0)),
                )
            )
        _launch_steps(queue, "backward_steps", "BackwardArguments", of_cell, laid_out, rows.batch, steps)
        for direction in range(directions if d_input is not None and features else 0):
            of_input = (
                *(rows.total, of_cell.gates * units, features),
                *(_address(deltas, direction * rows.total * width), width),
                *(_address(matrices[2 * direction]), features, 1, of_cell.apart * units),
                *(0, 0, 0, False, _address(d_input), features, direction == 1),
            )
            _multiply(queue, rows.total, features, [of_input])
        of_weights_all = _weight_gradients(
            queue,
            launcher.limits(input.device),
            of_cell,
            units,
            rows,
            input,
            h_0,
            output,
            deltas,
            places,
            needed[3:],
            each,
        )
    return [d_input, d_h_0, d_c_0, *of_weights_all]


def _weight_gradients(
    queue: Queue,
    limits: Limits,
    of_cell: _Sizes,
    units: int,
    rows: _Rows,
    input: Tensor,
    h_0: Tensor | None,
    output: Tensor,
    deltas: Tensor,
    places: Tensor,
    needed: Sequence[bool],
    each: int,
) -> list[Tensor | None]:
    """Those of the weights that are needed, views of one tensor."""
    if not any(needed):
        return [None] * len(needed)
    directions, gate_rows, features = len(deltas), of_cell.gates * units, input.shape[-1]
    shapes = ((gate_rows, features), (gate_rows, units), (gate_rows,), (gate_rows,))[:each]
    sizes = [gate_rows * features, gate_rows * units, gate_rows, gate_rows][:each]
    # what one direction needs is computed for both
    wanted = [any(needed[weight::each]) for weight in range(each)]
    starts = [sum(size for size, want in zip(sizes[:i], wanted[:i], strict=True) if want) for i in range(each)]
    size = sum(size for size, want in zip(sizes, wanted, strict=True) if want)
    groups = -(-rows.total // _GROUP_ROWS)
    down = -(-gate_rows // _GRADIENT_TILE)
    tiles = sum(down * -(-k // _GRADIENT_TILE) for k, want in zip((features, units), wanted, strict=False) if want)
    tiles += -(-deltas.shape[-1] // _TILE_THREADS) if any(wanted[2:]) else 0
    all_at_once = limits.multiprocessors * 4
    partial_sums = groups * directions * size
    in_one = tiles * directions >= all_at_once or groups > _MOST_BLOCKS or partial_sums > _MOST_PARTIAL_SUMS
    splits = 1 if in_one else groups
    flat = input.new_empty(directions * size)
    sums = flat if splits == 1 else input.new_empty(splits, directions * size)
    fields = []
    for direction in range(directions):
        of_weights = [
            _address(sums, direction * size + start) if want else 0 for start, want in zip(starts, wanted, strict=True)
        ]
        fields.append(
            (
                *(rows.total, units, of_cell.gates, of_cell.apart, features),
                _address(deltas, direction * rows.total * deltas.shape[-1]),
                *(_address(of_kind, direction * rows.total) for of_kind in places),
                *(_address(input), _address(output, direction * units), directions * units),
                0 if h_0 is None else _address(h_0, direction * rows.batch * units),
                *(*of_weights, 0, 0)[:4],
                *(directions * size, -(-groups // splits)),
            )
        )
    kernel = Kernel("sum_gradients", "GradientArguments", _TILE_THREADS)
    queue.launch(kernel, (tiles, splits, directions), _TILE_THREADS, _GRADIENT_BYTES, _packed(*fields))
    if splits > 1:
        total = directions * size
        kernel = Kernel("add_groups", "GroupArguments", _TILE_THREADS)
        arguments = _packed((splits, total, _address(sums), _address(flat)))
        queue.launch(kernel, (-(-total // _TILE_THREADS), 1, 1), _TILE_THREADS, 0, arguments)
    found: list[Tensor | None] = []
    for i, need in enumerate(needed):
        direction, weight = divmod(i, each)
        start = direction * size + starts[weight]
        found.append(flat[start : start + sizes[weight]].view(shapes[weight]) if need else None)
    return found
