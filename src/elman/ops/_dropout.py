"""Dropout beside lengths and resets where something looks into the program: by the masks of eager calls.

Eager calls draw over packed rows, as PyTorch's layers do. How many those are, a graph does not know: so an operator
draws. Like PyTorch's own that draw, it is never made one with another, nor computed again.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import dropout

from elman import _gate
from elman.ops._pieces import Padded, cut_by
from elman.ops._registered import library

__all__ = ["dropped"]


def dropped(rows: Tensor, lengths: Tensor | None, resets: Tensor | None, p: float) -> Tensor:
    """``rows`` (steps, batch, features) after dropout, by the mask that they would have packed."""
    # an empty tensor of this call alone, for of two calls that are alike the compiler makes one
    own = torch.empty(0, dtype=rows.dtype, device=rows.device)
    mask: Tensor = torch.ops.elman.dropout_mask(rows, lengths, resets, p, own)
    return rows * mask


def _mask(rows: Tensor, lengths: Tensor | None, resets: Tensor | None, p: float, own: Tensor) -> Tensor:
    *members, steps, batch, features = rows.shape
    layout = Padded(rows.new_empty(steps, batch, 0), False, cut_by(lengths, resets, steps, batch))
    mask = dropout(rows.new_ones(*members, *layout.rows()[0].shape[:-1], features), p, True)
    return torch.stack([*map(layout.back, mask)]) if members else layout.back(mask)


def _mask_of_members(rows: Tensor, lengths: Tensor | None, resets: Tensor | None, *others: Any) -> Tensor:
    """Of a vmap the mask for all members, one for each, or PyTorch's error, as its ``randomness`` says."""
    vmap = _gate.innermost_transform()
    randomness, level = vmap.randomness(), vmap.level()
    if randomness == "error":
        raise RuntimeError(
            "vmap: called random operation while in randomness error mode. Please either use the 'same' or 'different' "
            "randomness flags on vmap or perform the randomness operation out of vmap"
        )
    below, dim = _gate.unbatched(rows, level)
    cuts = [(None, None) if x is None else _gate.unbatched(x, level) for x in (lengths, resets)]
    are_own = any(dim is not None for _, dim in cuts)
    if are_own and randomness == "same":
        raise ValueError(
            "randomness: expected 'different' for dropout with lengths or resets of each member's own, got 'same'"
        )
    if not vmap.batch_size():
        return torch.zeros_like(rows)
    with _gate.below_vmap():
        if randomness == "same":
            return torch.ops.elman.dropout_mask(below.select(dim, 0), lengths, resets, *others)  # type: ignore[no-any-return]
        of_members = below.movedim(dim, 0)
        if not are_own:
            return _gate.batched(torch.ops.elman.dropout_mask(of_members, lengths, resets, *others), 0, level)  # type: ignore[no-any-return]
        masks = [
            torch.ops.elman.dropout_mask(x, *(cut if at is None else cut.select(at, i) for cut, at in cuts), *others)  # type: ignore[union-attr]
            for i, x in enumerate(of_members)
        ]
        return _gate.batched(torch.stack(masks), 0, level)  # type: ignore[no-any-return]


library.define(
    "dropout_mask(Tensor rows, Tensor? lengths, Tensor? resets, float p, Tensor own) -> Tensor",
    tags=(torch.Tag.pt2_compliant_tag, torch.Tag.nondeterministic_seeded),
)
library.impl("dropout_mask", torch.no_grad()(_mask), "CompositeExplicitAutograd")
library.impl("dropout_mask", torch.library.fallthrough_kernel, "Autograd")  # of no gradient
library.impl("dropout_mask", _mask_of_members, "FuncTorchBatched")
torch.library.register_fake("elman::dropout_mask", lambda rows, *_: rows.new_empty(rows.shape), lib=library)
