"""Batches of sequences of similar length."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from elman.runtime._vocabulary import PADDING

__all__ = ["batches_by_length", "pad", "shuffled_batches"]

BATCHES_PER_POOL = 50


def pad(sequences: Sequence[Any]) -> tuple[Tensor, Tensor]:
    """Return sequences of numbers or of rows, (batch, steps, …), padded with zeros, and the lengths, (batch,)."""
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    first = np.asarray(sequences[0])
    padded = np.full((len(sequences), int(lengths.max()), *first.shape[1:]), PADDING, first.dtype)
    for row, sequence in zip(padded, sequences, strict=True):
        row[: len(sequence)] = sequence
    return torch.from_numpy(padded), lengths


def batches_by_length(lengths: Sequence[int], batch_size: int) -> list[list[int]]:
    """Return the places of all sequences, the shortest first, in batches."""
    order = np.argsort(np.asarray(lengths), kind="stable").tolist()
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]


def shuffled_batches(lengths: Sequence[int], batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """Return the places of all sequences in batches of similar length, in another order each epoch.

    The order depends on nothing but the arguments, so that a resumed epoch goes on with the same batches.
    """
    generator = np.random.default_rng([seed, epoch])
    order = generator.permutation(len(lengths))
    pool_size = batch_size * BATCHES_PER_POOL
    batches = []
    for i in range(0, len(order), pool_size):
        pool = order[i : i + pool_size]
        pool = pool[np.argsort(np.asarray(lengths)[pool], kind="stable")]
        batches += [pool[j : j + batch_size].tolist() for j in range(0, len(pool), batch_size)]
    return [batches[i] for i in generator.permutation(len(batches))]
