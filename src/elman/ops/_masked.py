"""Lengths and resets by PyTorch's operations alone, where nothing is known of their numbers.

So it is where a graph is differentiated again, or forward: the operator, which cuts a batch into pieces, does neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from elman.ops._arguments import Arguments
from elman.ops._calls import Call, apart, composed, together
from elman.ops._pieces import expanded

__all__ = ["masked"]


class _Masks(NamedTuple):
    """At each step, ``(steps, batch, 1)``, which sequences run still, and which begin anew; None for all, and none."""

    runs: Tensor | None
    begins: Tensor | None

    def running(self, padded: Tensor) -> Tensor:
        """Zeros where no sequence runs, which are no numbers times zero: of NaN the gradient would be NaN."""
        return padded if self.runs is None else padded.where(self.runs, 0)

    def before(self, step: slice, state: Tensor, at_reset: Tensor) -> Tensor:
        return state if self.begins is None else at_reset.where(self.begins[step], state)

    def after(self, step: slice, state: Tensor, before: Tensor) -> Tensor:
        return state if self.runs is None else state.where(self.runs[step], before)


def masked(call: Call, arguments: Arguments) -> list[Tensor]:
    """What :func:`elman.ops._calls.composed` returns of padded input with lengths and resets.

    All sequences take every step; what comes of those that have ended is put aside, and so is what a reset ends.
    """
    input, _, lengths, resets = arguments[:4]
    (steps, batch), directions, further = input.shape[:2], call.directions, call.cell.states - 1
    masks = _Masks(
        None if lengths is None else torch.arange(steps, device=input.device).view(-1, 1, 1) < _column(lengths, input),
        None if resets is None else _column(resets, input),
    )
    zeros = input.new_zeros(directions, batch, call.hidden_size)
    at_resets, states = ([expanded(h, batch), *apart(c, further)] for h, c in (arguments[6:8], arguments[4:6]))
    at_resets = [zeros if x is None else expanded(x, batch) for x in at_resets]
    states = [at_reset if x is None else x for x, at_reset in zip(states, at_resets, strict=True)]
    weights, by_unit, by_step, by_sequence = call.cell.parts(arguments.given, directions)
    parts = weights, by_unit, [*map(masks.running, by_step)], by_sequence
    one, input, every_state, last = call._replace(directions=1), masks.running(input), [], []
    for direction in range(directions):
        own = [part[len(part) // directions * direction :][: len(part) // directions] for part in parts]
        begin = [(state[[direction]], at_reset[[direction]]) for state, at_reset in zip(states, at_resets, strict=True)]
        of_steps, final = _unrolled(one, input, begin, own, masks, reverse=direction == 1)
        every_state.append([masks.running(torch.cat(x)) for x in of_steps])
        last.append(final)
    output, *others = (torch.cat(of_state, -1) for of_state in zip(*every_state, strict=True))
    h_n, *c_n = (torch.cat(of_state) for of_state in zip(*last, strict=True))
    return [output, h_n, *together(c_n), *(together(others) if arguments.every else [])]


def _column(of_sequences: Tensor, input: Tensor) -> Tensor:
    return of_sequences.to(input.device).unsqueeze(-1)


def _unrolled(
    one: Call, input: Tensor, begin: Sequence[Any], given: Sequence[list[Any]], masks: _Masks, *, reverse: bool
) -> tuple[list[list[Tensor]], list[Tensor]]:
    """Of a direction each state after every step, and the last ones."""
    states = [state for state, _ in begin]
    weights, by_unit, by_step, by_sequence = given
    of_steps: list[list[Tensor]] = [[input.new_zeros(0, *state.shape[1:])] for state in states]
    for at in reversed(range(input.shape[0])) if reverse else range(input.shape[0]):
        step = slice(at, at + 1)
        before = [masks.before(step, state, at_reset) for state, (_, at_reset) in zip(states, begin, strict=True)]
        h, *others = before
        now = *weights, *by_unit, *(x[step] for x in by_step), *by_sequence
        _, h, *others = composed(one, input[step], h, [*together(others), None][0], *now)
        after = [h, *apart(others[0] if others else None, len(states) - 1)]
        for of_state, state in zip(of_steps, after, strict=True):
            of_state.insert(0, state) if reverse else of_state.append(state)
        states = [masks.after(step, *pair) for pair in zip(after, states, strict=True)]
    return of_steps, states
