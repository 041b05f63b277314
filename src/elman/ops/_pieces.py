"""Padded batches cut into pieces: one begins where its sequence does or at a reset, and ends before the next.

The pieces are sorted by length and packed, so that nothing of the padding is read; whole sequences stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from elman import _engine
from elman.ops._rows import put, take

_Array = npt.NDArray[Any]

__all__ = ["Padded", "Pieces", "check_lengths", "cut", "expanded"]


@dataclass(frozen=True)
class Pieces:
    """The pieces of a batch, longest first."""

    index: Tensor  # (rows,): where each packed row lies among the padded ones
    batch_sizes: Tensor  # (steps of the longest piece)
    carried_on: Tensor  # the pieces that begin with what came in, and
    of_sequence: Tensor  # the sequences which these are
    last: Tensor  # the last piece of each sequence that has any, and
    running: Tensor  # these sequences
    is_whole: bool  # each sequence is one piece from the first step to the last

    @property
    def count(self) -> int:
        return int(self.batch_sizes[0]) if len(self.batch_sizes) else 0


def cut(lengths: _Array, resets: _Array | None, steps: int, strides: tuple[int, int]) -> Pieces:
    """Cut a batch into pieces, whose order is that of ``pack_padded_sequence``.

    Args:
        lengths: (batch), int64.
        resets: (batch, steps), boolean, or None for none.
        steps: of the padded batch.
        strides: how many padded rows there are from a sequence to the next, and from a step to the next.
    """
    *arrays, is_whole = _engine.cut(lengths, resets, steps, *strides)
    index, batch_sizes, carried_on, of_sequence, last, running = map(torch.from_numpy, arrays)
    return Pieces(index, batch_sizes, carried_on, of_sequence, last, running, bool(is_whole))


def check_lengths(lengths: _Array, steps: int) -> None:
    """A ``ValueError`` for one below 0 or above ``steps``."""
    for length in (lengths.min(), lengths.max()) if lengths.size else ():
        if not 0 <= length <= steps:
            raise ValueError(f"lengths: expected 0 to {steps}, the steps of input, got {length}")


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

    @property
    def shape(self) -> torch.Size:
        return self.input.shape[:-1]

    @property
    def dtype(self) -> torch.dtype:
        return self.input.dtype

    def rows(self) -> tuple[Tensor, Tensor | None]:
        rows = self.beside(self.input)
        return rows, None if rows.dim() == 3 else self.pieces.batch_sizes  # type: ignore[union-attr]

    def beside(self, padded: Tensor) -> Tensor:
        if self.pieces is None or self.pieces.is_whole:
            return padded.transpose(0, 1) if self.batch_first else padded
        rows = take(padded, self.pieces.index)
        # one step of no rows where there is none: so that what comes of it has gradients, zeros
        return rows if len(rows) else rows.unsqueeze(0)

    def of_pieces(self, of_sequences: Tensor) -> Tensor:
        if self.pieces is None or self.pieces.is_whole:
            return of_sequences
        first, columns = self.pieces.index[: self.pieces.count], self.shape[1]
        sequences = first.div(columns, rounding_mode="floor") if self.batch_first else first % columns
        return of_sequences.index_select(0, sequences.to(of_sequences.device))

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
        return others.to(final.dtype).index_copy(1, self.pieces.running.to(final.device), final)

    def back(self, rows: Tensor) -> Tensor:
        if self.pieces is None or self.pieces.is_whole:
            return rows.transpose(0, 1) if self.batch_first else rows
        return put(rows.reshape(-1, rows.shape[-1]), self.pieces.index, *self.input.shape[:2])


def expanded(state: Tensor | None, count: int) -> Tensor | None:
    """The same state (directions, width) for so many."""
    return None if state is None else state.unsqueeze(1).expand(-1, count, -1)
