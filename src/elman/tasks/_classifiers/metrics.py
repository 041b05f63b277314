"""How well predicted labels agree with the true ones."""

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["classification_report"]


def classification_report(truth: Sequence[Any], predicted: Sequence[Any], classes: Sequence[Any]) -> dict[str, Any]:
    """Compare predicted labels with true ones.

    Args:
        truth: (examples,) true labels; some may be of no class of the model, and are then predicted wrongly.
        predicted: (examples,) predicted labels.
        classes: the model's.

    Returns:
        ``accuracy``; ``macro_f1``, the mean F1 of the classes that occur in either (scikit-learn's default);
        ``per_class``, for each label ``precision``, ``recall``, ``f1`` and ``support``; ``confusion_matrix``,
        its ``labels`` and its ``rows``, a row for each true label, a column for each predicted one.
    """
    from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

    unseen = sorted(set(truth) - set(classes))
    labels = [*classes, *unseen]
    precision, recall, f1, support = precision_recall_fscore_support(truth, predicted, labels=labels, zero_division=0)
    matrix = confusion_matrix(truth, predicted, labels=labels)
    occurring = (matrix.sum(0) + matrix.sum(1)) > 0
    columns = zip(labels, precision, recall, f1, support, strict=True)
    return {
        "accuracy": float(accuracy_score(truth, predicted)),
        "macro_f1": float(np.mean(f1[occurring])),
        "per_class": {
            str(label): {"precision": float(p), "recall": float(r), "f1": float(f), "support": int(n)}
            for label, p, r, f, n in columns
        },
        "confusion_matrix": {"labels": [str(label) for label in labels], "rows": matrix.tolist()},
    }
