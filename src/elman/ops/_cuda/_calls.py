"""The kernels' calls for a recurrent layer, over tensors: what ``elman.ops._calls`` has of the engine."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from math import prod
from typing import Any

import torch
from torch import Tensor

from elman.ops._calls import Call
from elman.ops._cuda._gradients import FedBack, weight_gradients
from elman.ops._cuda._launches import Kernel, Launcher, Queue, Rows, address, backward_plan, forward_plan, packed
from elman.ops._cuda._plan import Plan, thread_limit
from elman.ops._cuda._programs import KernelCell, cell_of

__all__ = ["backward", "forward"]

_TILE, _TILE_BYTES = 64, 2 * 16 * 68 * 4  # of multiply_tiles
_MULTIPLY = Kernel("multiply_tiles", "ProductArguments", 256)


def _step_weights(matrix: Tensor | None, laid_out: Plan, is_forward: bool) -> tuple[list[int], Tensor | None]:
    """The fields of a StepWeights, and the tensor that they point into."""
    if matrix is None:  # of a cell that feeds nothing back
        return [0, 1, 1, 0, 0, laid_out.parts, laid_out.blocks, laid_out.shared_blocks], None
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
    return [address(matrix), *strides, *sizes, *of_plan], matrix


def _launch_steps(
    queue: Queue, function: str, arguments: str, of_cell: KernelCell, laid_out: Plan, batch: int, fields: list[Any]
) -> None:
    name = f"{function}<{of_cell.name},{laid_out.rows},{laid_out.held}>"
    grid = -(-batch // laid_out.rows), 1, len(fields)
    kernel = Kernel(name, f"{arguments}<{of_cell.name}>", thread_limit(laid_out.held), of_cell.text)
    queue.launch(kernel, grid, laid_out.threads, laid_out.shared_bytes, packed(*fields))


def _multiply(queue: Queue, rows: int, columns: int, fields: Sequence[Any]) -> None:
    grid = -(-rows // _TILE), -(-columns // _TILE), len(fields)
    queue.launch(_MULTIPLY, grid, _MULTIPLY.threads, _TILE_BYTES, packed(*fields))


def forward(
    launcher: Launcher,
    call: Call,
    input: Tensor,
    h_0: Tensor | None,
    c_0: Tensor | None,
    weights: Sequence[Tensor | None],
    keeps: bool,
    *inputs: list[Tensor],
) -> tuple[tuple[Tensor, ...], Tensor | None]:
    """The output and the final states, and what the backward pass needs besides: see :func:`elman.ops._calls.forward`.

    All tensors are contiguous and on one device, but for batch sizes, which are on the CPU.
    """
    _, directions, units, batch_sizes, _ = call
    cell, features = cell_of(call.cell, units), input.shape[-1]
    gate_rows, each, further = cell.gates * units, len(weights) // directions, cell.states - 1
    with launcher.on(input.device) as queue:
        rows = Rows.of(input, batch_sizes, queue)
        laid_out = forward_plan(cell, units, rows.batch, launcher.limits(input.device))
        assert laid_out is not None, "is_within has been asked"
        new = input.new_empty
        output = new(*input.shape[:-1], directions * units)
        h_n = new(directions, rows.batch, units)
        c_n = new(*[further] * (further > 1), *h_n.shape) if further else None
        kept = new(directions, rows.total, cell.kept * units) if keeps and cell.kept else None
        if cell.gates == 1 and not cell.text:
            sums, width = output, directions * units
        elif kept is not None and not cell.text:
            sums, width = kept, cell.kept * units
        else:
            sums, width = new(directions, rows.total, gate_rows), gate_rows
        products, steps, alive = [], [], []
        for direction in range(directions):
            w_ih, w_hh, *biases = weights[direction * each : (direction + 1) * each]
            b_ih, b_hh = biases or (None, None)
            to = address(sums, direction * (units if sums is output else rows.total * width))
            added = (cell.gates - cell.apart) * units
            products.append(
                (
                    *(rows.total, features, gate_rows),
                    *(address(input), features, address(w_ih), 1, features, 0),
                    *(address(b_ih), address(b_hh), added, True, to, width, False),
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
                    address(b_hh, added) if cell.apart else 0,
                    *(address(x, of_states) for x in (h_0, c_0)),
                    h_n.numel(),
                    *(to, width, address(output, direction * units), directions * units),
                    *(address(x, of_states) for x in (h_n, c_n)),
                    address(kept, direction * rows.total * cell.kept * units),
                    *_of_direction(inputs, direction, directions),
                )
            )
        _multiply(queue, rows.total, gate_rows, products)
        _launch_steps(queue, "forward_steps", "ForwardArguments", cell, laid_out, rows.batch, steps)
    return (output, h_n) if c_n is None else (output, h_n, c_n), kept


def backward(
    launcher: Launcher,
    call: Call,
    input: Tensor,
    h_0: Tensor | None,
    c_0: Tensor | None,
    matrices: Sequence[Tensor | None],
    output: Tensor,
    kept: Tensor | None,
    d_results: Sequence[Tensor | None],
    needed: Sequence[bool],
    *inputs: list[Tensor],
) -> list[Tensor | None]:
    """The gradients that are ``needed``, of input, h_0, c_0 and what else is given; None for the others.

    All tensors are contiguous and on one device, but for batch sizes, which are on the CPU.
    """
    _, directions, units, batch_sizes, _ = call
    cell, features, (d_output, d_h_n, d_c_n) = cell_of(call.cell, units), input.shape[-1], d_results
    of_weights_needed, of_units, *of_rows = call.cell.parts(needed[3:], directions)
    with launcher.on(input.device) as queue:
        rows = Rows.of(input, batch_sizes, queue)
        laid_out = backward_plan(cell, units, rows.batch, launcher.limits(input.device))
        assert laid_out is not None, "is_within has been asked"
        new, of_states = input.new_empty, (directions, rows.batch, units)
        width, kept_width = (cell.gates + cell.apart + cell.inputs[0]) * units, cell.kept * units
        deltas = new(directions, rows.total, width)
        places = new(2, directions, rows.total, dtype=torch.int32)
        d_input = new(input.shape) if needed[0] else None
        d_h_0 = new(of_states) if needed[1] else None
        d_c_0 = new(c_0.shape) if needed[2] and c_0 is not None else None
        d_inputs = [
            [new(x.shape) if need else None for x, need in zip(kind, of_kind, strict=True)]
            for kind, of_kind in zip(inputs[1:], of_rows, strict=False)
        ]
        state_size = prod(of_states)
        steps, alive = [], []
        for direction in range(directions):
            of_weights, matrix = _step_weights(matrices[2 * direction + 1], laid_out, False)
            alive.append(matrix)
            of_direction = direction * rows.batch * units
            steps.append(
                (
                    *rows.sequence(direction == 1),
                    *of_weights,
                    units,
                    *(address(x, of_direction) for x in (h_0, c_0)),
                    state_size,
                    *(address(output, direction * units), directions * units),
                    address(kept, direction * rows.total * kept_width),
                    address(d_output, direction * units),
                    directions * units,
                    *(address(x, of_direction) for x in (d_h_n, d_c_n)),
                    address(deltas, direction * rows.total * width),
                    *(address(of_kind, direction * rows.total) for of_kind in places),
                    *(address(x, of_direction) for x in (d_h_0, d_c_0)),
                    *_of_direction(inputs, direction, directions),
                    *_of_direction(d_inputs, direction, directions),
                )
            )
        _launch_steps(queue, "backward_steps", "BackwardArguments", cell, laid_out, rows.batch, steps)
        for direction in range(directions if d_input is not None and features else 0):
            of_input = (
                *(rows.total, cell.gates * units, features),
                *(address(deltas, direction * rows.total * width), width),
                *(address(matrices[2 * direction]), features, 1, cell.apart * units),
                *(0, 0, 0, False, address(d_input), features, direction == 1),
            )
            _multiply(queue, rows.total, features, [of_input])
        if cell.fed_back == 0:
            fed_back = FedBack(address(output), units, directions * units, address(h_0))
        else:
            field = (cell.kept - cell.states + cell.fed_back) * units
            first = address(c_0, (cell.fed_back - 1) * state_size) if c_0 is not None else 0
            fed_back = FedBack(address(kept, field), rows.total * kept_width, kept_width, first)
        limits = launcher.limits(input.device)
        found = weight_gradients(
            queue, limits, call, rows, input, fed_back, deltas, places, of_weights_needed, of_units
        )
    return [d_input, d_h_0, d_c_0, *chain(*found, *d_inputs)]


def _of_direction(kinds: Sequence[Sequence[Tensor | None]], direction: int, directions: int) -> list[int]:
    """The addresses of what a program is given in one direction, or of their gradients: one kind, then the next."""
    found = []
    for kind in kinds:
        each = len(kind) // directions
        found += [address(x) for x in kind[direction * each : (direction + 1) * each]]
    return found or [0]
