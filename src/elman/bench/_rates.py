"""What the machine can do at best: its matrix product, by PyTorch's MKL and by NumPy's OpenBLAS, and its copy."""

import timeit
from collections.abc import Callable
from functools import partial
from operator import matmul

import numpy as np

__all__ = ["rates"]

SIZES = (1024, 2048)
COPIED = 1 << 27  # bytes, more than a cache holds
TIMES = 3


def rates() -> dict[str, float]:
    """Return the best of a few: ``torch`` and ``numpy``, Gflop/s of a float32 matrix product; ``copy``, GB/s."""
    import torch

    source, target = np.ones(COPIED, np.uint8), np.ones(COPIED, np.uint8)
    found = {"copy": COPIED / _seconds(partial(np.copyto, target, source)) / 1e9}
    for size in SIZES:
        pair = np.random.default_rng(0).standard_normal((2, size, size), np.float32)
        for name, factors in (("numpy", pair), ("torch", torch.from_numpy(pair))):
            rate = 2 * size**3 / _seconds(partial(matmul, factors[0], factors[1])) / 1e9
            found[name] = max(rate, found.get(name, 0.0))
    return found


def _seconds(call: Callable[[], object]) -> float:
    return min(timeit.repeat(call, repeat=TIMES, number=1))
