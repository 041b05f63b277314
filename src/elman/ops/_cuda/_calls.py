"""The kernels' calls for a recurrent layer, over tensors: what ``elman.ops._calls`` has of the engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from elman.ops._calls import Call
from elman.ops._cells import EngineCell
from elman.ops._cuda._gradients import weight_gradients
from elman.ops._cuda._launches import Kernel, Launcher, Queue, Rows, address, backward_plan, forward_plan, packed
from elman.ops._cuda._plan import Plan, thread_limit

__all__ = ["backward", "forward"]

_TILE, _TILE_BYTES = 64, 2 * 16 * 68 * 4  # of multiply_tiles
_MULTIPLY = Kernel("multiply_tiles", "ProductArguments", 256)


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
    return [address(matrix), *strides, *sizes, *of_plan], matrix


def _launch_steps(
    queue: Queue, function: str, arguments: str, of_cell: EngineCell, laid_out: Plan, batch: int, fields: list[Any]
) -> None:
    text = f"{function}<{of_cell.text}_cell,{laid_out.rows},{laid_out.held}>"
    grid = -(-batch // laid_out.rows), 1, len(fields)
    kernel = Kernel(text, arguments, thread_limit(laid_out.held))
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
    weights: Sequence[Tensor],
    keeps: bool,
) -> tuple[tuple[Tensor, ...], Tensor | None]:
    """The output and the final states, and what the backward pass needs besides: see :func:`elman.ops._calls.forward`.

    All tensors are contiguous and on one device, but for batch sizes, which are on the CPU.
    """
    of_cell, directions, units, batch_sizes, _ = call
    features = input.shape[-1]
    gate_rows, each = of_cell.gates * units, len(weights) // directions
    with launcher.on(input.device) as queue:
        rows = Rows.of(input, batch_sizes, queue)
        laid_out = forward_plan(of_cell, units, rows.batch, launcher.limits(input.device))
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
                to, to_width = address(output, direction * units), directions * units
            else:
                to, to_width = address(sums, direction * rows.total * width), width
            added = (of_cell.gates - of_cell.apart) * units
            products.append(
                (
                    *(rows.total, features, gate_rows),
                    *(address(input), features, address(w_ih), 1, features, 0),
                    *(address(b_ih), address(b_hh), added, True, to, to_width, False),
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
                    address(b_hh, added) if of_cell.apart else 0,
                    *(address(x, of_states) for x in (h_0, c_0)),
                    *(to, to_width, address(output, direction * units), directions * units),
                    *(address(x, of_states) for x in (h_n, c_n)),
                    is_kept,
                )
            )
        _multiply(queue, rows.total, gate_rows, products)
        _launch_steps(queue, "forward_steps", "ForwardArguments", of_cell, laid_out, rows.batch, steps)
    results = (output, h_n) if c_n is None else (output, h_n, c_n)
    return results, sums if is_kept else None


def backward(
    launcher: Launcher,
    call: Call,
    input: Tensor,
    h_0: Tensor | None,
    c_0: Tensor | None,
    matrices: Sequence[Tensor],
    output: Tensor,
    kept: Tensor | None,
    d_results: Sequence[Tensor | None],
    needed: Sequence[bool],
) -> list[Tensor | None]:
    """The gradients that are ``needed``, of input, h_0, c_0 and weights; None for the others.

    All tensors are contiguous and on one device, but for batch sizes, which are on the CPU.
    """
    of_cell, directions, units, batch_sizes, _ = call
    features, (d_output, d_h_n, d_c_n) = input.shape[-1], d_results
    with launcher.on(input.device) as queue:
        rows = Rows.of(input, batch_sizes, queue)
        laid_out = backward_plan(of_cell, units, rows.batch, launcher.limits(input.device))
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
                    *(address(x, of_states) for x in (h_0, c_0)),
                    *(address(output, direction * units), directions * units),
                    address(kept, direction * rows.total * kept_width),
                    address(d_output, direction * units),
                    directions * units,
                    *(address(x, of_states) for x in (d_h_n, d_c_n)),
                    address(deltas, direction * rows.total * width),
                    *(address(of_kind, direction * rows.total) for of_kind in places),
                    *(address(x, of_states) for x in (d_h_0, d_c_0)),
                )
            )
        _launch_steps(queue, "backward_steps", "BackwardArguments", of_cell, laid_out, rows.batch, steps)
        for direction in range(directions if d_input is not None and features else 0):
            of_input = (
                *(rows.total, of_cell.gates * units, features),
                *(address(deltas, direction * rows.total * width), width),
                *(address(matrices[2 * direction]), features, 1, of_cell.apart * units),
                *(0, 0, 0, False, address(d_input), features, direction == 1),
            )
            _multiply(queue, rows.total, features, [of_input])
        of_weights_all = weight_gradients(
            queue,
            launcher.limits(input.device),
            call,
            rows,
            input,
            h_0,
            output,
            deltas,
            places,
            needed[3:],
        )
    return [d_input, d_h_0, d_c_0, *of_weights_all]
