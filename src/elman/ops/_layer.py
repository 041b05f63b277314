"""One recurrent layer, all its directions, with its gradients."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor

from elman import _engine
from elman._gate import are_plain, nothing_intercepts
from elman.ops._calls import backward, forward
from elman.ops._differentiable import differentiable_backward
from elman.ops._kept import keep, originals
from elman.ops._rows import index_of, put

__all__ = ["cells_of", "layer"]

_requires_grad = attrgetter("requires_grad")
_copies: Any = _engine.copies
# cell, directions, hidden size, of packed input the rows of each step, whether the output is batch first, every_c, and
# the places
_Call = tuple[str, int, int, Tensor | None, bool, bool, Tensor | None]


def layer(
    input: Tensor,
    batch_sizes: Tensor | None,
    h_0: Tensor | None,
    c_0: Tensor | None,
    weights: list[Tensor],
    hidden_size: int,
    cell: str,
    directions: int,
    output_batch_first: bool = False,
    every_c: bool = False,
    places: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """One layer of a recurrent network in one or two directions.

    Args:
        input: ``(steps, batch, input_size)`` of any strides, or packed ``(rows, input_size)``.
        batch_sizes: for packed input the rows of each step, ``(steps)``, int64, contiguous, never growing.
        h_0: ``(directions, batch, hidden_size)``; None counts as zeros.
        c_0: of an LSTM the same; of other cells None.
        weights: for each direction ``weight_ih, weight_hh`` and, with biases, ``bias_ih, bias_hh``.
        hidden_size: that of the weights.
        cell: ``"tanh"``, ``"relu"``, ``"gru"`` or ``"lstm"``.
        directions: 1, or 2 for a reverse direction beside the forward one.
        output_batch_first: returns the output as ``(batch, steps, features)``: no view, for PyTorch's is none.
        every_c: of an LSTM, returns all its cell states. What comes back through them goes by PyTorch's operations.
        places: ``(packed sequences, 2)``, int64, contiguous: the input is ``(steps, batch, input_size)``, of which the
            packed rows of ``batch_sizes`` are read alone, each packed sequence's from this step of that sequence on.
            None two may lie on one place, and from a sequence's first step to its last no row may be missing. The other
            rows of what comes back, gradients too, are zeros.

    Returns:
        The output, shaped as the input with ``directions * hidden_size`` features, h_n
        ``(directions, batch, hidden_size)``, of an LSTM c_n, shaped as h_n, and with ``every_c`` the c_t of every step,
        shaped as the output would be without ``output_batch_first``.
    """
    call = cell, directions, hidden_size, batch_sizes, output_batch_first, every_c, places
    if torch.is_grad_enabled() and (
        any(map(_requires_grad, (*weights, input)))
        or (h_0 is not None and h_0.requires_grad)
        or (c_0 is not None and c_0.requires_grad)
    ):
        return _apply(call, input, h_0, c_0, *weights)  # type: ignore[no-any-return]
    results, _ = _run(call, input, h_0, c_0, weights, every_c)
    if output_batch_first:
        results[0].transpose_(0, 1)
    return results


def _run(
    call: _Call, input: Tensor, h_0: Tensor | None, c_0: Tensor | None, weights: list[Tensor], keeps: bool = False
) -> tuple[tuple[Tensor, ...], Tensor | None]:
    cell, directions, hidden_size, batch_sizes, _, every_c, places = call
    results, kept = forward(cell, directions, hidden_size, input, h_0, c_0, batch_sizes, weights, keeps, places)
    if every_c:
        cells = cells_of(kept, hidden_size)
        if batch_sizes is not None and places is not None:
            cells = put(cells, index_of(batch_sizes, places, input.shape[1]), *input.shape[:2])
        results = *results, cells.view(results[0].shape)
    return results, kept


def cells_of(kept: Any, hidden_size: int) -> Tensor:
    """The c_t of every row ``(rows, directions * hidden_size)``: what an LSTM keeps of it last."""
    return torch.cat([*kept[..., -hidden_size:]], 1)


class _Layer(torch.autograd.Function):
    """Saves the output besides what it was given, and what the cell keeps: nothing where f' is read off h_t.

    PyTorch's layer lets its user write to the output, and to the biases, before the backward pass. So does this one:
    it saves the output without the check for writes, keeps count of them, and computes the output again, to the same
    bits, if there were any.
    """

    @staticmethod
    def forward(
        ctx: Any, call: _Call, input: Tensor, h_0: Tensor | None, c_0: Tensor | None, *weights: Tensor
    ) -> tuple[Tensor, ...]:
        _, directions, _, batch_sizes, output_batch_first, *_ = call
        matrices, biases = _apart(weights, directions)
        aliases, computed, leaves = keep((input, h_0, c_0, *matrices))
        x, h_before, c_before, *of_weights = aliases
        results, kept = _run(call, x, h_before, c_before, _together(of_weights, biases), True)
        output = results[0]
        ctx.save_for_backward(output.data, kept, *aliases, *computed)
        if batch_sizes is not None:
            call = *call[:3], batch_sizes.clone(), *call[4:]  # what is checked stays as it was
        if output_batch_first:
            output.transpose_(0, 1)  # in place, before writes are counted
        ctx.kept = call, leaves, biases, _copies(biases), _Writes(output)
        ctx.set_materialize_grads(False)
        return results

    @staticmethod
    def backward(
        ctx: Any,
        d_output: Tensor | None,
        d_h_n: Tensor | None,
        d_c_n: Tensor | None = None,
        d_every_c: Tensor | None = None,
    ) -> tuple[Tensor | None, ...]:
        output, kept, *saved = ctx.saved_tensors  # once: checkpointing allows no second reading
        needed = ctx.needs_input_grad[1:]
        if d_output is None and d_h_n is None and d_c_n is None and d_every_c is None:
            return None, *[None] * len(needed)
        call, leaves, biases, numbers, writes = ctx.kept
        cell, directions, hidden_size, batch_sizes, output_batch_first, _, places = call
        if output_batch_first and d_output is not None:
            d_output = d_output.transpose(0, 1)
        input, h_0, c_0, *matrices = aliases = saved[: len(leaves)]
        in_engine = (
            d_every_c is None
            and not torch.is_grad_enabled()
            and are_plain([output, kept, *aliases, d_output, d_h_n, d_c_n])
            and nothing_intercepts()
        )
        if writes or not in_engine:
            as_they_were = [torch.frombuffer(bytearray(copy), dtype=input.dtype) for copy in numbers]
        if not in_engine:
            # what is no plain tensor, what shall be differentiated again, and what comes through the cell states on the
            # way is left to PyTorch's operations
            leads = originals(leaves, saved[len(leaves) :])
            return None, *differentiable_backward(
                (input, h_0, c_0, *_together(matrices, as_they_were)),
                (*leads[:3], *_together(leads[3:], biases)),
                batch_sizes,
                cell,
                directions,
                (d_output, d_h_n, d_c_n, d_every_c),
                needed,
                places,
            )
        if writes:
            (output, *_), _ = _run(call, input, h_0, c_0, _together(matrices, as_they_were))
        return None, *backward(
            cell,
            directions,
            hidden_size,
            input,
            h_0,
            c_0,
            batch_sizes,
            matrices,
            output,
            kept,
            d_output,
            d_h_n,
            d_c_n,
            needed,
            places=places,
        )


# What PyTorch's own apply does first is look for transforms: the gate has seen to it that there are none.
_apply: Any = getattr(super(torch.autograd.Function, _Layer), "apply", _Layer.apply)


def _apart(weights: Sequence[Tensor], directions: int) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
    """The matrices and the biases of :func:`layer`'s weights."""
    if directions == 1:
        return weights[:2], weights[2:]
    each = len(weights) // directions
    return (*weights[:2], *weights[each : each + 2]), (*weights[2:each], *weights[each + 2 :])


def _together(matrices: Sequence[Any], biases: Sequence[Any]) -> list[Any]:
    return [*matrices[:2], *biases[:2], *matrices[2:], *biases[2:]]


_NOTHING: dict[torch.dtype, Tensor] = {}


class _Writes:
    """True once ``tensor``, or a view of it, has been written to. Holds none of its memory."""

    def __init__(self, tensor: Tensor) -> None:
        # a detached tensor shares the version counter, and keeps it when it is given other data
        self.alias = tensor.detach()
        nothing = _NOTHING.get(tensor.dtype)
        if nothing is None:
            nothing = _NOTHING[tensor.dtype] = tensor.new_empty(0)
        self.alias.data = nothing
        self.version = tensor._version

    def __bool__(self) -> bool:
        return self.alias._version != self.version
