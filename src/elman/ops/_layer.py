"""One recurrent layer, all its directions, with its gradients."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor

from elman._gate import are_plain, nothing_intercepts
from elman.ops._calls import Call, backward, every_further, forward, forward_if_admitted, forward_kept, split
from elman.ops._cells import BUILT_IN
from elman.ops._differentiable import differentiable_backward
from elman.ops._kept import originals, uncompiled

__all__ = ["layer", "layer_if_admitted", "run"]

_requires_grad = attrgetter("requires_grad")
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


def layer_if_admitted(
    input: Tensor,
    h_0: Any,
    c_0: Any,
    weights: list[Any],
    input_size: Any,
    hidden_size: Any,
    cell: str,
    directions: int,
    bias: Any,
    output_batch_first: bool = False,
    lengths: Any = None,
    resets: Any = None,
) -> tuple[Tensor, ...] | None:
    """What :func:`layer` returns of ``(steps, batch, input_size)``; None where the gate does not admit these, or the
    input or a state has other sizes.

    With ``lengths`` (batch) or ``resets`` (steps, batch) what comes of a batch that is cut by them, where it needs no
    gradients.
    """
    built_in = BUILT_IN[cell]
    sizes = input_size, hidden_size, directions, bias
    results = forward_if_admitted(built_in, input, h_0, c_0, weights, *sizes, [], lengths, resets)
    if results is True:
        call = _call_of((built_in, directions, hidden_size, None, None))
        return _apply((call, output_batch_first, False), input, h_0, c_0, *weights)  # type: ignore[no-any-return]
    if results and output_batch_first:
        results[0].transpose_(0, 1)
    return results  # type: ignore[no-any-return]


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
        results, kept, aliases, computed, leaves, biases, numbers = forward_kept(call, input, h_0, c_0, given)
        output, batch_sizes = results[0], call.batch_sizes
        ctx.save_for_backward(output.data, kept, *aliases, *computed)
        if batch_sizes is not None:
            call = call._replace(batch_sizes=batch_sizes.clone())  # what is checked stays as it was
        if every:
            results = *results, every_further(call, kept, output)
        if output_batch_first:
            output.transpose_(0, 1)  # in place, before writes are counted
        # a detached tensor shares the version counter, and keeps it when it is given other data: none of the memory
        counter = output.detach()
        counter.data = _nothing(output.dtype)
        ctx.kept = call, output_batch_first, leaves, biases, numbers, counter, counter._version
        ctx.set_materialize_grads(False)
        return results

    @staticmethod
    @uncompiled
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
        call, output_batch_first, leaves, biases, numbers, counter, version = ctx.kept
        cell, directions, hidden_size, *_ = call
        if output_batch_first and d_output is not None:
            d_output = d_output.transpose(0, 1)
        d_results = d_output, d_h_n, d_c_n, d_every
        count = 2 * directions
        input, h_0, c_0, *others = aliases = saved[: len(leaves)]
        matrices, inputs = (others, ()) if cell.program is None else (others[:count], _inputs(call, others))
        is_written = counter._version != version
        in_engine = (
            not torch.is_grad_enabled()
            and nothing_intercepts()
            and (d_every is None or cell.with_every(hidden_size) is not None)
            and ((d_every is None and not is_written) or are_plain([output, kept, *aliases, *d_results]))
        )
        if in_engine:
            if is_written:
                weights = _as_they_were(others, numbers, directions)
                (output, *_), _ = forward(call, input, h_0, c_0, weights, False, *inputs)
            gradients = backward(call, input, h_0, c_0, matrices, output, kept, d_results, needed, *inputs)
            if gradients is not None:
                return None, *gradients
        # what is no plain tensor and what shall be differentiated again is left to PyTorch's operations
        weights, leads = _as_they_were(others, numbers, directions), originals(leaves, saved[len(leaves) :])
        of_weights = _together(leads[3:], biases, directions)
        return None, *differentiable_backward(
            call,
            (input, h_0, c_0, *weights, *others[count:]),
            (*leads[:3], *of_weights, *leads[3 + count :]),
            d_results,
            needed,
        )


# What PyTorch's own apply does first is look for transforms: the gate has seen to it that there are none.
_apply: Any = getattr(super(torch.autograd.Function, _Layer), "apply", _Layer.apply)


def _together(matrices: Sequence[Any], biases: Sequence[Any], directions: int) -> list[Any]:
    """The weights of these; what is behind the matrices does not matter."""
    if directions == 1:
        return [*matrices[:2], *biases]
    return [*matrices[:2], *biases[:2], *matrices[2:4], *biases[2:]]


def _as_they_were(matrices: Sequence[Any], numbers: Sequence[bytes | None], directions: int) -> list[Any]:
    """The weights, with the numbers that the biases had."""
    biases = [x and torch.frombuffer(bytearray(x), dtype=matrices[0].dtype) for x in numbers]
    return _together(matrices, biases, directions)


def _inputs(call: Call, others: list[Any]) -> Sequence[list[Any]]:
    """What lies behind the matrices, as the engine takes it."""
    return () if call.cell.program is None else split(call, others[2 * call.directions :])[1]


@cache
def _nothing(dtype: torch.dtype) -> Tensor:
    return torch.empty(0, dtype=dtype, device="cpu")
