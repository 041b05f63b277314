"""Sequences of numbers in NumPy's .npz files."""

from pathlib import Path
from typing import Any

import numpy as np

from elman._errors import InputError, listed, one_line
from elman.runtime._arrays import Array, as_array
from elman.tasks._classifiers.sequences import Sequences
from elman.tasks._reading import open_input

__all__ = ["read_npz"]

EXPECTED = "X (examples, steps, channels) or (examples, steps), y (examples,), and lengths (examples,) if they differ"


def read_npz(path: str | Path) -> Sequences:
    """Read the arrays ``X``, ``y`` and ``lengths`` of a file that ``numpy.savez`` wrote; ``y`` may be absent.

    Raises:
        InputError: it is no such file, or its arrays do not fit one another. Nothing in it is ever executed.
    """
    arrays = _load(path)
    if "X" not in arrays:
        raise InputError(f"{path}: expected the arrays {EXPECTED}, got {listed(arrays) or 'none'}")
    X = as_array(arrays["X"], f"{path}, array X", np.dtype(np.float64))
    if X.ndim not in (2, 3) or not X.size:
        raise InputError(f"{path}, array X: expected the shape (examples, steps[, channels]), got {X.shape}")
    X = X[:, :, None] if X.ndim == 2 else X
    if np.isinf(X).any():
        raise InputError(f"{path}, array X: expected finite numbers, or NaN for missing ones, got infinity")
    lengths = _lengths(arrays["lengths"], X, path) if "lengths" in arrays else [X.shape[1]] * len(X)
    labels = _labels(arrays["y"], len(X), path) if "y" in arrays else None
    places = [f"{path}, example {number}" for number in range(1, len(X) + 1)]
    values = [sequence[:length] for sequence, length in zip(X, lengths, strict=True)]
    return Sequences(values, labels, list(range(1, len(X) + 1)), places)


def _load(path: str | Path) -> dict[str, Array]:
    with open_input(path) as stream:
        try:
            loaded: Any = np.load(stream, allow_pickle=False)
            return dict(loaded)
        except Exception as error:  # whatever its parsers of ZIP and of arrays find
            if "allow_pickle" in str(error):
                error = ValueError("an array of Python objects, which would have to be executed")
            reason = one_line(error)
            raise InputError(f"{path}: expected a .npz file with the arrays {EXPECTED}, got: {reason}") from None


def _lengths(lengths: Array, X: Array, path: str | Path) -> list[int]:
    if lengths.shape != X.shape[:1] or lengths.dtype.kind not in "iu":
        got = f"{lengths.dtype} of {lengths.shape}"
        raise InputError(f"{path}, array lengths: expected integers, one an example, got {got}")
    for place, length in enumerate(lengths.tolist()):
        if not 1 <= length <= X.shape[1]:
            raise InputError(f"{path}, lengths[{place}]: expected 1 to {X.shape[1]}, the steps of X, got {length}")
    return lengths.tolist()  # type: ignore[no-any-return]


def _labels(y: Array, count: int, path: str | Path) -> list[str]:
    if y.shape != (count,) or y.dtype.kind not in "Uiub":
        raise InputError(f"{path}, array y: expected strings or integers, one an example, got {y.dtype} of {y.shape}")
    return [str(label) for label in y.tolist()]
