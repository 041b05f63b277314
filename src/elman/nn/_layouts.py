"""How sequences lie when the layers run over them, and how what comes out is laid out as its user's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from elman.ops._pieces import Padded, Pieces, cut, cut_tensors, expanded

__all__ = ["Layout", "Packed", "Padded", "Pieces", "Traced", "cut", "cut_tensors", "expanded"]


class Layout(Protocol):
    """Rows for the layers, and what they come to for the user."""

    @property
    def batch(self) -> int: ...

    @property
    def shape(self) -> torch.Size:
        """Of the input but for its features."""

    @property
    def dtype(self) -> torch.dtype: ...

    @property
    def is_plain(self) -> bool:
        """Whether PyTorch's layers know such a batch."""

    def rows(self) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """What a layer runs over, of packed rows those of each step, and their places where they lie among others."""

    def beside(self, others: Any) -> Tensor:
        """Other features of the same rows, which lie as the input does, as a layer runs over them."""

    def of_pieces(self, of_sequences: Tensor) -> Tensor:
        """What there is for each sequence ``(batch, features)``, for each of its pieces."""

    def begin(self, given: Tensor | None, at_resets: Tensor | None) -> Tensor | None:
        """The states (directions, pieces, width) in which the pieces begin, from those of the sequences and the one
        (directions, width), or (directions, batch, width), in place of what is not given; None counts as zeros."""

    def end(self, final: Tensor, given: Tensor | None, at_resets: Tensor | None) -> Tensor:
        """The states (directions, batch, width) after each sequence's last step."""

    def back(self, rows: Tensor) -> Any:
        """What a layer gave for each row, as the input lies, zeros elsewhere."""


@dataclass
class Traced(Padded):
    """A batch in a graph that knows no numbers: an operator cuts it, and knows where the states belong."""

    lengths: Tensor | None = None
    resets: Tensor | None = None

    @property
    def is_plain(self) -> bool:
        return self.lengths is None and self.resets is None

    @property
    def cuts(self) -> dict[str, Any]:
        """What the operator cuts it by."""
        return {"lengths": self.lengths, "resets": self.resets}

    def begin(self, given: Tensor | None, at_resets: Tensor | None) -> Tensor | None:
        return super().begin(given, at_resets) if self.is_plain else given


@dataclass
class Packed:
    """Sequences that their user has packed."""

    input: PackedSequence
    is_plain = True

    @property
    def batch(self) -> int:
        order = self.input.sorted_indices
        return int(self.input.batch_sizes[0]) if order is None else order.shape[0]

    @property
    def shape(self) -> torch.Size:
        return self.input.data.shape[:-1]

    @property
    def dtype(self) -> torch.dtype:
        return self.input.data.dtype

    def rows(self) -> tuple[Tensor, Tensor | None, Tensor | None]:
        return self.input.data, self.input.batch_sizes.contiguous(), None

    def is_like(self, other: PackedSequence) -> bool:
        """Whether the same rows of the same sequences stand in the same places of another."""
        orders = self.input.sorted_indices, other.sorted_indices
        ours, theirs = (torch.arange(self.batch) if order is None else order.cpu() for order in orders)
        return torch.equal(self.input.batch_sizes, other.batch_sizes) and torch.equal(ours, theirs)

    def beside(self, others: Tensor | PackedSequence) -> Tensor:
        return others.data if isinstance(others, PackedSequence) else others

    def of_pieces(self, of_sequences: Tensor) -> Tensor:
        order = self.input.sorted_indices
        return of_sequences if order is None else of_sequences.index_select(0, order)

    def begin(self, given: Tensor | None, at_resets: Tensor | None) -> Tensor | None:
        if given is None:
            return expanded(at_resets, self.batch)
        order = self.input.sorted_indices
        return given if order is None else given.index_select(1, order)

    def end(self, final: Tensor, given: Tensor | None, at_resets: Tensor | None) -> Tensor:
        order = self.input.unsorted_indices
        return final if order is None else final.index_select(1, order)

    def back(self, rows: Tensor) -> PackedSequence:
        _, *others = self.input  # no _replace: of that the compiler makes an empty one
        return PackedSequence(rows, *others)
