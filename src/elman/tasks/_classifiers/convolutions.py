"""What fixed convolutions add to a network's scores: a ridge regression, judged by leaving each example out."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from elman.runtime._arrays import Array
from elman.runtime._classifiers.convolutions import KERNELS, Convolutions, ConvolutionSizes
from elman.runtime._linear import log_softmax

__all__ = ["fit_convolutions"]

SHARES = 1000  # at most, unless there are more kernels; in trials, four times as many were no better
MOST_CHANNELS = 9  # that a kernel reads
MOST_DILATIONS = 8
MOST_STEPS = 20_000  # that thresholds are taken from
MOST_EXAMPLES = 4000  # that the regression sees: what convolutions add counts most where they are few
PENALTIES = np.logspace(-5, 1, 13)  # over the number of shares
GAINS = np.array([0, *np.geomspace(0.5, 30, 25)])
SMALLEST = 1e-13  # of the largest square of a singular value: less is rounding
WEIGHT = 0.5  # of these scores beside the network's, which stand on the same evidence

Floats = NDArray[np.float64]


def fit_convolutions(
    sequences: Sequence[Array], labels: NDArray[np.int64], classes: int, seed: int
) -> tuple[ConvolutionSizes, dict[str, Array]]:
    """Return the sizes of convolutions and their tensors.

    Args:
        sequences: (steps, channels) of float32 each, standardised.
        labels: (sequences,) the number of each one's class.
        classes: how many there are.
        seed: of what is drawn at random: the channels that a kernel reads, and where its thresholds come from.
    """
    generator = np.random.default_rng(seed)
    if len(sequences) > MOST_EXAMPLES:
        kept = np.sort(generator.choice(len(sequences), MOST_EXAMPLES, replace=False))
        sequences, labels = [sequences[i] for i in kept], labels[kept]
    longest = max(1, int(np.median([len(sequence) for sequence in sequences])) // 8)  # of half of them
    dilations = [1 << power for power in range(min(MOST_DILATIONS, longest.bit_length()))]
    sizes = ConvolutionSizes(dilations, max(1, SHARES // (len(dilations) * len(KERNELS))))
    channels = _channels(sizes.kernels, sequences[0].shape[1], generator)
    thresholds = _thresholds(sizes, channels, sequences, generator)
    shares = Convolutions(dilations, channels, thresholds).shares(sequences)
    weight, bias = _ridge(shares.astype(np.float64), labels, classes)
    fitted = {"channels": channels, "thresholds": thresholds, "weight": weight, "bias": bias}
    return sizes, {f"convolutions.{name}": array.astype(np.float32) for name, array in fitted.items()}


def _channels(kernels: int, channels: int, generator: np.random.Generator) -> Array:
    """Draw which channels each kernel reads, few more often than many."""
    read = np.zeros((kernels, channels), np.float32)
    counts = 2 ** generator.uniform(0, np.log2(min(channels, MOST_CHANNELS) + 1), kernels)
    for row, count in zip(read, counts.astype(int), strict=True):
        row[generator.choice(channels, count, replace=False)] = 1
    return read


def _thresholds(
    sizes: ConvolutionSizes, channels: Array, sequences: Sequence[Array], generator: np.random.Generator
) -> Array:
    """Return quantiles of what each kernel comes to, (kernels, thresholds), which spread evenly over all kernels."""
    order = generator.permutation(len(sequences))
    steps = np.cumsum([len(sequences[i]) for i in order])
    some = [sequences[i] for i in order[: 1 + int(np.searchsorted(steps, MOST_STEPS))]]
    kernels = Convolutions(sizes.dilations, channels, np.zeros((sizes.kernels, 1), np.float32))
    responses = [kernels.responses(sequence) for sequence in some]
    found = np.sort(np.concatenate([np.concatenate(of_sequence)[:, 0] for of_sequence in responses], 1))
    places = np.arange(1, sizes.shares + 1) * ((np.sqrt(5) + 1) / 2) % 1
    ranks = (places * found.shape[1]).astype(int).reshape(sizes.kernels, sizes.thresholds)
    thresholds: Array = np.take_along_axis(found, ranks, 1)
    return thresholds


def _ridge(shares: Floats, labels: NDArray[np.int64], classes: int) -> tuple[Floats, Floats]:
    """Return weight (classes, shares) and bias (classes,) that make log-odds of shares (examples, shares).

    Penalty and gain are those of the least loss, the mean over examples that were each left out.
    """
    count, deviation = len(shares), shares.std(0)
    deviation[deviation == 0] = 1
    mean = shares.mean(0)
    targets = np.where(np.arange(classes) == labels[:, None], 1.0, -1.0)
    middle = targets.mean(0)
    standard = (shares - mean) / deviation
    left, squares = _left_vectors(standard)
    along = left.T @ (targets - middle)
    best = np.inf
    for penalty in shares.shape[1] * PENALTIES:
        kept = squares / (squares + penalty)
        errors = targets - middle - (left * kept) @ along
        own = 1 / count + (left**2 * kept).sum(1)  # the part of an example in its own fit
        without = targets - errors / (1 - own)[:, None]
        for gain in GAINS:
            loss = -log_softmax(gain * without)[np.arange(count), labels].mean()
            if loss < best:
                best, chosen, factor = loss, penalty, WEIGHT * gain
    solved = standard.T @ (left / (squares + chosen)) @ along / deviation[:, None]
    return factor * solved.T, factor * (middle - mean @ solved)


def _left_vectors(rows: Floats) -> tuple[Floats, Floats]:
    """Return left singular vectors, (rows, vectors), and the squares of their singular values, (vectors,).

    By the smaller of the two products of rows with themselves: a quarter of the time of all of the decomposition.
    """
    if len(rows) <= rows.shape[1]:
        squares, left = np.linalg.eigh(rows @ rows.T)
        return left, np.maximum(squares, 0)
    squares, right = np.linalg.eigh(rows.T @ rows)
    squares = np.maximum(squares, squares[-1] * SMALLEST + np.finfo(float).tiny)
    return rows @ right / np.sqrt(squares), squares
