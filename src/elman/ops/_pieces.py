"""Padded batches cut into pieces: one begins where its sequence does or at a reset, and ends before the next.

The pieces are sorted by length and packed, so that nothing of the padding is read; whole sequences stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from elman.ops._rows import put, take

__all__ = ["Padded", "Pieces", "check_lengths", "cut", "expanded"]


@dataclass(frozen=True)
class Pieces:
    """The pieces of a batch, longest first."""

    index: Tensor  # (rows,): where each packed row lies among the padded ones
    batch_sizes: Tensor | None  # (steps of the longest piece); None where there is no piece
    count: int
    carried_on: Tensor  # the pieces that begin with what came in, and
    of_sequence: Tensor  # the sequences which these are
    last: Tensor  # the last piece of each sequence that has any, and
    running: Tensor  # these sequences
    is_whole: bool  # each sequence is one piece from the first step to the last


def cut(lengths: Tensor, resets: Tensor | None, steps: int, strides: tuple[int, int]) -> Pieces:
    """Cut a batch into pieces, whose order is that of ``pack_padded_sequence``.

    Args:
        lengths: (batch), int64.
        resets: (batch, steps), boolean, on the CPU, or None for none.
        steps: of the padded batch.
        strides: how many padded rows there are from a sequence to the next, and from a step to the next.
    """
    ends, first_steps = lengths.numpy(), np.arange(steps) == 0
    begins = np.arange(steps) < ends[:, None]  # which steps there are
    begins &= first_steps if resets is None else first_steps | resets.numpy()
    sequence, start = np.nonzero(begins)  # of each piece, sequence by sequence
    is_last = np.append(sequence[1:] != sequence[:-1], True)[: len(sequence)]
    length = np.where(is_last, ends[sequence], np.append(start[1:], 0)[: len(start)]) - start

    order = torch.sort(torch.from_numpy(length), descending=True).indices.numpy()
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    sizes = len(order) - np.cumsum(np.bincount(length))[:-1] if len(order) else np.zeros(0, np.int64)

    age = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)  # of each row in its piece
    index = np.empty_like(age)
    index[(np.cumsum(sizes) - sizes)[age] + np.repeat(place, length)] = (
        np.repeat(sequence * strides[0] + start * strides[1], length) + age * strides[1]
    )
    goes_on = start == 0 if resets is None else (start == 0) & ~resets.numpy()[sequence, start]
    return Pieces(
        index=torch.from_numpy(index),
        batch_sizes=torch.from_numpy(sizes) if len(order) else None,
        count=len(order),
        carried_on=torch.from_numpy(place[goes_on]),
        of_sequence=torch.from_numpy(sequence[goes_on]),
        last=torch.from_numpy(place[is_last]),
        running=torch.from_numpy(sequence[is_last]),
        is_whole=len(order) == len(ends) and bool((length == steps).all()),
    )


def check_lengths(lengths: Sequence[int], steps: int) -> None:
    """A ``ValueError`` for one below 0 or above ``steps``."""
    bad = [length for length in lengths if not 0 <= length <= steps]
    if bad:
        raise ValueError(f"lengths: expected 0 to {steps}, the steps of input, got {bad[0]}")


@dataclass
class Padded:
    """A batch of sequences side by side, and its pieces; None where each sequence is one that begins as given.

    Args:
        input: (steps, batch, features), or (batch, steps, features) with ``batch_first``.
    """

    input: Tensor
    batch_first: bool
    pieces: Pieces | None

    @property
    def batch(self) -> int:
        return self.input.shape[0 if self.batch_first else 1]

    def rows(self) -> tuple[Tensor, Tensor | None]:
        if self.pieces is None or self.pieces.is_whole:
            return (self.input.transpose(0, 1) if self.batch_first else self.input), None
        rows = take(self.input.reshape(-1, self.input.shape[-1]), self.pieces.index.to(self.input.device))
        return (rows if self.pieces.count else rows.unsqueeze(0)), self.pieces.batch_sizes

    def begin(self, given: Tensor | None, at_resets: Tensor | None) -> Tensor | None:
        count = self.batch if self.pieces is None else self.pieces.count
        if given is None:
            return expanded(at_resets, count)
        if self.pieces is None:
            return given
        others = expanded(at_resets, count)
        if others is None:
            others = given.new_zeros(given.shape[0], count, given.shape[2])
        carried_on, of_sequence = self.pieces.carried_on.to(given.device), self.pieces.of_sequence.to(given.device)
        return others.index_copy(1, carried_on, given.index_select(1, of_sequence))

    def end(self, final: Tensor, given: Tensor | None, at_resets: Tensor | None) -> Tensor:
        if self.pieces is None or self.pieces.is_whole:
            return final
        final = final.index_select(1, self.pieces.last.to(final.device))
        if len(self.pieces.running) == self.batch:
            return final
        others = expanded(at_resets, self.batch) if given is None else given
        if others is None:
            others = final.new_zeros(final.shape[0], self.batch, final.shape[2])
        return others.index_copy(1, self.pieces.running.to(final.device), final)

    def back(self, rows: Tensor) -> Tensor:
        if self.pieces is None or self.pieces.is_whole:
            return rows.transpose(0, 1) if self.batch_first else rows
        shape = self.input.shape[:2]
        rows = put(rows.reshape(-1, rows.shape[-1]), self.pieces.index.to(rows.device), shape.numel())
        return rows.view(*shape, rows.shape[-1])


def expanded(state: Tensor | None, count: int) -> Tensor | None:
    """The same state (directions, width) for so many."""
    return None if state is None else state.unsqueeze(1).expand(-1, count, -1)
