"""One recurrent layer, all its directions, with its gradients."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor

from elman import _engine
from elman._gate import are_plain, nothing_intercepts
from elman.ops._calls import Call, backward, every_further, forward, split
from elman.ops._cells import BUILT_IN
from elman.ops._differentiable import differentiable_backward
from elman.ops._kept import keep, originals

__all__ = ["layer", "run"]

_requires_grad = attrgetter("requires_grad")
_copies: Any = _engine.copies
# makes one of these faster than the class itself
_call_of: Any = partial(tuple.__new__, Call)


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
        every_c: of an LSTM, returns all its cell states.
        places: ``(packed sequences, 2)``, int64, contiguous: the input is ``(steps, batch, input_size)``, of which the
            packed rows of ``batch_sizes`` are read alone, each packed sequence's from this step of that sequence on.
            None two may lie on one place, and from a sequence's first step to its last no row may be missing. The other
            rows of what comes back, gradients too, are zeros.

    Returns:
        The output, shaped as the input with ``directions * hidden_size`` features, h_n
        ``(directions, batch, hidden_size)``, of an LSTM c_n, shaped as h_n, and with ``every_c`` the c_t of every step,
        shaped as the output would be without ``output_batch_first``.
    """
    call = _call_of((BUILT_IN[cell], directions, hidden_size, batch_sizes, places))
    if torch.is_grad_enabled() and (
        any(map(_requires_grad, (*weights, input)))
        or (h_0 is not None and h_0.requires_grad)
        or (c_0 is not None and c_0.requires_grad)
    ):
        return _apply((call, output_batch_first, every_c), input, h_0, c_0, *weights)  # type: ignore[no-any-return]
    results, kept = forward(call, input, h_0, c_0, weights, every_c)
    if every_c:
        results = *results, every_further(call, kept, results[0])
    if output_batch_first:
        results[0].transpose_(0, 1)
    return results


def run(
    call: Call, input: Tensor, h_0: Tensor | None, c_0: Tensor | None, *given: Any, every: bool
) -> tuple[Tensor, ...]:
    """The same of any cell, given as to a :class:`Call`; with ``every`` also the states but the first at each step."""
    if torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in (input, h_0, c_0, *given)):
        return _apply((call, False, every), input, h_0, c_0, *given)  # type: ignore[no-any-return]
    weights, inputs = split(call, given)
    results, kept = forward(call, input, h_0, c_0, weights, every, *inputs)
    return (*results, every_further(call, kept, results[0])) if every else results


class _Layer(torch.autograd.Function):
    """Saves the output besides what it was given, and what the cell keeps: nothing where f' is read off h_t.

    PyTorch's layer lets its user write to the output, and to the biases, before the backward pass. So does this one:
    it saves the output without the check for writes, keeps count of them, and computes the output again, to the same
    bits, if there were any.
    """

    @staticmethod
    def forward(
        ctx: Any,
        asked: tuple[Call, bool, bool],
        input: Tensor,
        h_0: Tensor | None,
        c_0: Tensor | None,
        *given: Any,
    ) -> tuple[Tensor, ...]:
        call, output_batch_first, every = asked
        cell, directions, _, batch_sizes, _ = call
        count = len(given) if cell.program is None else len(given) - directions * sum(cell.inputs)
        matrices, biases = _apart(given[:count], directions)
        aliases, computed, leaves = keep((input, h_0, c_0, *matrices, *given[count:]))
        x, h_before, c_before, *others = aliases
        weights, inputs = _together(others, biases, directions), _inputs(call, others)
        results, kept = forward(call, x, h_before, c_before, weights, True, *inputs)
        output = results[0]
        ctx.save_for_backward(output.data, kept, *aliases, *computed)
        if batch_sizes is not None:
            call = call._replace(batch_sizes=batch_sizes.clone())  # what is checked stays as it was
        if every:
            results = *results, every_further(call, kept, output)
        if output_batch_first:
            output.transpose_(0, 1)  # in place, before writes are counted
        numbers = _copies(biases) if cell.program is None else [None if x is None else _copies([x])[0] for x in biases]
        ctx.kept = call, output_batch_first, leaves, biases, numbers, _Writes(output)
        ctx.set_materialize_grads(False)
        return results

    @staticmethod
    def backward(
        ctx: Any,
        d_output: Tensor | None,
        d_h_n: Tensor | None,
        d_c_n: Tensor | None = None,
        d_every: Tensor | None = None,
    ) -> tuple[Tensor | None, ...]:
        output, kept, *saved = ctx.saved_tensors  # once: checkpointing allows no second reading
        needed = ctx.needs_input_grad[1:]
        if d_output is None and d_h_n is None and d_c_n is None and d_every is None:
            return None, *[None] * len(needed)
        call, output_batch_first, leaves, biases, numbers, writes = ctx.kept
        cell, directions, hidden_size, *_ = call
        if output_batch_first and d_output is not None:
            d_output = d_output.transpose(0, 1)
        input, h_0, c_0, *others = aliases = saved[: len(leaves)]
        d_results = d_output, d_h_n, d_c_n, d_every
        in_engine = (
            (d_every is None or cell.with_every(hidden_size) is not None)
            and not torch.is_grad_enabled()
            and are_plain([output, kept, *aliases, *d_results])
            and nothing_intercepts()
        )
        count = 2 * directions
        if writes or not in_engine:
            as_they_were = [x and torch.frombuffer(bytearray(x), dtype=input.dtype) for x in numbers]
            weights = _together(others, as_they_were, directions)
        if not in_engine:
            # what is no plain tensor and what shall be differentiated again is left to PyTorch's operations
            leads = originals(leaves, saved[len(leaves) :])
            of_weights = _together(leads[3:], biases, directions)
            return None, *differentiable_backward(
                call,
                (input, h_0, c_0, *weights, *others[count:]),
                (*leads[:3], *of_weights, *leads[3 + count :]),
                d_results,
                needed,
            )
        matrices, inputs = (others, ()) if cell.program is None else (others[:count], _inputs(call, others))
        if writes:
            (output, *_), _ = forward(call, input, h_0, c_0, weights, False, *inputs)
        return None, *backward(call, input, h_0, c_0, matrices, output, kept, d_results, needed, *inputs)


# What PyTorch's own apply does first is look for transforms: the gate has seen to it that there are none.
_apply: Any = getattr(super(torch.autograd.Function, _Layer), "apply", _Layer.apply)


def _apart(weights: Sequence[Tensor], directions: int) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
    """The matrices and the biases of the weights."""
    if directions == 1:
        return weights[:2], weights[2:]
    each = len(weights) // directions
    return (*weights[:2], *weights[each : each + 2]), (*weights[2:each], *weights[each + 2 :])


def _together(matrices: Sequence[Any], biases: Sequence[Any], directions: int) -> list[Any]:
    """The inverse; what is behind the matrices does not matter."""
    if directions == 1:
        return [*matrices[:2], *biases]
    return [*matrices[:2], *biases[:2], *matrices[2:4], *biases[2:]]


def _inputs(call: Call, others: list[Any]) -> Sequence[list[Any]]:
    """What lies behind the matrices, as the engine takes it."""
    return () if call.cell.program is None else split(call, others[2 * call.directions :])[1]


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
