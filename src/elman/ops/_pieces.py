"""Padded batches cut into pieces: one begins where its sequence does or at a reset, and ends before the next.

The pieces are sorted by length and packed, so that nothing of the padding is read; whole sequences stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy.typing as npt
import torch
from torch import Tensor

from elman import _engine
from elman.ops._rows import index_of, put, take

_Array = npt.NDArray[Any]
_cut: Any = _engine.cut
_cut_tensors: Any = _engine.cut_tensors

__all__ = ["Padded", "Pieces", "check_lengths", "cut", "cut_by", "cut_tensors", "expanded"]


class Pieces(NamedTuple):
    """The pieces of a batch, longest first."""

    places: _Array  # (pieces, 2): the step and the sequence at which each begins
    batch_sizes: _Array  # (steps of the longest piece)
    carried_on: _Array  # the pieces that begin with what came in
    last: _Array  # the last piece of each sequence that has any
    is_whole: bool  # each sequence is one piece from the first step to the last

    def sequences(self, which: _Array | slice) -> Tensor:
        """Of which they are pieces."""
        return torch.from_numpy(self.places[which, 1])


def cut(lengths: _Array | None, resets: _Array | None, steps: int, batch: int) -> Pieces | None:
    """Cut a batch into pieces, whose order is that of ``pack_padded_sequence``.

    Args:
        lengths: (batch), int64, or None for all steps.
        resets: (steps, batch), boolean, or None for none.
        steps, batch: of the padded batch.

    Returns:
        None where each sequence is one piece, from end to end, that begins with what came in.
    """
    pieces = _cut(lengths, resets, steps, batch)
    return None if pieces is None else Pieces(*pieces)


def cut_tensors(lengths: Any, resets: Any, steps: int, batch: int, batch_first: bool) -> Pieces | None:
    """The same, at once, of plain tensors, ``resets`` lying as the input does; ``NotImplemented`` for all else."""
    pieces = _cut_tensors(lengths, resets, steps, batch, batch_first)
    return Pieces(*pieces) if type(pieces) is tuple else pieces


def cut_by(lengths: Tensor | None, resets: Tensor | None, steps: int, batch: int) -> Pieces | None:
    """The same by what an operator is given: lengths (batch) and resets (steps, batch), None for none."""
    ends = None if lengths is None else lengths.numpy(force=True)
    if ends is not None:
        check_lengths(ends, steps)
    return cut(ends, None if resets is None else resets.numpy(force=True), steps, batch)


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
        in_place: a layer finds the pieces where they lie, and leaves what comes of them there; else they are packed.
    """

    input: Tensor
    batch_first: bool
    pieces: Pieces | None = None
    in_place: bool = False

    def __post_init__(self) -> None:
        self._is_cut = self.pieces is not None and not self.pieces.is_whole
        self._is_packed = self._is_cut and not (self.in_place and len(self.pieces.places))  # type: ignore[union-attr]

    @property
    def batch(self) -> int:
        return self.input.shape[0 if self.batch_first else 1]

    @property
    def shape(self) -> torch.Size:
        return self.input.shape[:-1]

    @property
    def dtype(self) -> torch.dtype:
        return self.input.dtype

    @property
    def is_plain(self) -> bool:
        return self.pieces is None

    def rows(self) -> tuple[Tensor, Tensor | None, Tensor | None]:
        rows, pieces = self.beside(self.input), self.pieces
        if pieces is None or not self._is_cut or not len(pieces.places):
            return rows, None, None
        places = None if self._is_packed else torch.from_numpy(pieces.places)
        return rows, torch.from_numpy(pieces.batch_sizes), places

    def beside(self, padded: Tensor) -> Tensor:
        padded = self._turned(padded)
        if not self._is_packed:
            return padded
        rows = take(padded, self._index)
        # one step of no rows where there is none: so that what comes of it has gradients, zeros
        return rows if len(rows) else rows.unsqueeze(0)

    def of_pieces(self, of_sequences: Tensor) -> Tensor:
        if self.pieces is None or not self._is_cut:
            return of_sequences
        return of_sequences.index_select(0, self.pieces.sequences(slice(None)).to(of_sequences.device))

    def begin(self, given: Tensor | None, at_resets: Tensor | None) -> Tensor | None:
        pieces = self.pieces
        if pieces is None:
            return expanded(at_resets, self.batch) if given is None else given
        others = expanded(at_resets, len(pieces.places))
        if others is not None and at_resets.dim() == 3:  # type: ignore[union-attr]
            others = others.index_select(1, pieces.sequences(slice(None)).to(others.device))
        if given is None:
            return others
        if others is None:
            others = given.new_zeros(given.shape[0], len(pieces.places), given.shape[2])
        sequences = pieces.sequences(pieces.carried_on).to(given.device)
        carried_on = torch.from_numpy(pieces.carried_on).to(given.device)
        return others.index_copy(1, carried_on, given.index_select(1, sequences))

    def end(self, final: Tensor, given: Tensor | None, at_resets: Tensor | None) -> Tensor:
        if self.pieces is None or not self._is_cut:
            return final
        final = final.index_select(1, torch.from_numpy(self.pieces.last).to(final.device))
        if len(self.pieces.last) == self.batch:
            return final
        others = expanded(at_resets, self.batch) if given is None else given
        if others is None:
            others = final.new_zeros(final.shape[0], self.batch, final.shape[2])
        sequences = self.pieces.sequences(self.pieces.last).to(final.device)
        return others.to(final.dtype).index_copy(1, sequences, final)

    def back(self, rows: Tensor) -> Tensor:
        if self._is_packed:
            rows = put(rows.flatten(0, -2), self._index, *self._turned(self.input).shape[:2])
        return self._turned(rows)

    def _turned(self, padded: Tensor) -> Tensor:
        """From as the input lies to steps first, and back."""
        return padded.transpose(0, 1) if self.batch_first else padded

    @cached_property
    def _index(self) -> Tensor:
        places, batch_sizes, *_ = self.pieces  # type: ignore[misc]
        return index_of(batch_sizes, places, self.batch)


def expanded(state: Tensor | None, count: int) -> Tensor | None:
    """The same state (directions, width) for so many; (directions, batch, width) are there for each already."""
    return state if state is None or state.dim() == 3 else state.unsqueeze(1).expand(-1, count, -1)
