"""How well predicted labels agree with the true ones."""

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["classification_report"]


def classification_report(truth: Sequence[Any], predicted: Sequence[Any], classes: Sequence[Any]) -> dict[str, Any]:
    """Compare predicted labels with true ones; the figures are scikit-learn's.

    Args:
        truth: (examples,) true labels; some may be of no class of the model, and are then predicted wrongly.
        predicted: (examples,) predicted labels.
        classes: the model's.

    Returns:
        ``accuracy``; ``macro_f1``, the mean F1 of the classes that occur in either (scikit-learn's default);
        ``per_class``, for each label ``precision``, ``recall``, ``f1`` and ``support``, 0 where there is nothing to
        divide by; ``confusion_matrix``, its ``labels`` and its ``rows``, a row for each true label, a column for each
        predicted one.
    """
    labels = [*classes, *sorted(set(truth) - set(classes))]
    number = {label: place for place, label in enumerate(labels)}
    matrix = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(matrix, ([number[label] for label in truth], [number[label] for label in predicted]), 1)
    right, found, true = matrix.diagonal(), matrix.sum(0), matrix.sum(1)
    precision, recall = right / np.maximum(found, 1), right / np.maximum(true, 1)
    f1 = 2 * right / np.maximum(found + true, 1)
    figures = zip(precision.tolist(), recall.tolist(), f1.tolist(), true.tolist(), strict=True)
    of_each = (dict(zip(("precision", "recall", "f1", "support"), row, strict=True)) for row in figures)
    names = [str(label) for label in labels]
    return {
        "accuracy": float(right.sum() / len(truth)),
        "macro_f1": float(np.mean(f1[found + true > 0])),
        "per_class": dict(zip(names, of_each, strict=True)),
        "confusion_matrix": {"labels": names, "rows": matrix.tolist()},
    }
