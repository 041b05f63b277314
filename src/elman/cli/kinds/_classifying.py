"""What the commands for classifiers of texts and of sequences share."""

import csv
import math
import sys
import time
from collections.abc import Sequence
from typing import Any

from elman.cli._classification import warn_of_unseen
from elman.cli._texts import write_record
from elman.cli._wording import printable
from elman.runtime._classifiers.base import TrainedClassifier

__all__ = ["FORMATS", "report", "size", "write_predictions"]

FORMATS = ("jsonl", "tsv")  # of predictions


def report(classifier: TrainedClassifier, examples: Sequence[Any], labels: Sequence[str]) -> dict[str, Any]:
    """Return how well a classifier predicts labels, and how long it took."""
    from elman.tasks._classifiers.metrics import classification_report

    started = time.perf_counter()
    classes = [str(name) for name in classifier.classes]
    predicted = [classes[i] for i in classifier.predict_proba(examples).argmax(1)]
    seconds = time.perf_counter() - started
    warn_of_unseen(labels, classes)
    return classification_report(labels, predicted, classes) | {"examples": len(examples), "seconds": seconds}


def write_predictions(
    classifier: TrainedClassifier, examples: Sequence[Any], key: str, names: Sequence[Any], format: str
) -> None:
    """Print the label and the probability of each example, and in JSON lines what it is known by."""
    probabilities = classifier.predict_proba(examples)
    best = probabilities.argmax(1)
    writer = csv.writer(sys.stdout, "excel-tab", lineterminator="\n")
    for name, label, row in zip(names, classifier.classes[best].tolist(), probabilities, strict=True):
        # NaN, of a model with NaN in it, is no JSON
        probability = round(float(row.max()), 6) if math.isfinite(row.max()) else None
        if format == "tsv":
            writer.writerow([printable(str(label)) if sys.stdout.isatty() else label, probability])
        else:
            write_record({"label": label, "probability": probability, key: name})
    sys.stdout.flush()


def size(classifier: TrainedClassifier) -> str:
    """Say how large a network is."""
    return f"{classifier.settings.network.describe()}, {len(classifier.classes)} classes"
