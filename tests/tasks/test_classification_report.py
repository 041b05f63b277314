"""How well labels are predicted, beside scikit-learn's figures."""

import json

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_recall_fscore_support

from elman.tasks._classifiers.metrics import classification_report


@pytest.mark.parametrize("seed", range(20))
def test_figures_are_those_of_scikit_learn(seed):
    generator = np.random.default_rng(seed)
    classes = [f"class {number}" for number in range(generator.integers(1, 12))]
    count = int(generator.integers(1, 300))
    predicted = generator.choice(classes[: 1 + len(classes) // 2], count).tolist()  # of some, nothing is predicted
    unseen = ["", "another", "类"][: generator.integers(0, 4)]
    truth = generator.choice([*classes[len(classes) // 3 :], *unseen], count).tolist()
    report = classification_report(truth, predicted, classes)
    labels = [*classes, *sorted(set(truth) - set(classes))]
    assert report["accuracy"] == accuracy_score(truth, predicted)
    macro_f1 = f1_score(truth, predicted, average="macro", zero_division=0)  # adds the classes up in another order
    assert report["macro_f1"] == pytest.approx(macro_f1, rel=1e-14)
    of_each = precision_recall_fscore_support(truth, predicted, labels=labels, zero_division=0)
    names = ("precision", "recall", "f1", "support")
    assert report["per_class"] == {
        label: dict(zip(names, figures, strict=True)) for label, *figures in zip(labels, *of_each, strict=True)
    }
    matrix = confusion_matrix(truth, predicted, labels=labels).tolist()
    assert report["confusion_matrix"] == {"labels": labels, "rows": matrix}
    json.dumps(report)


def test_figures_by_hand():
    report = classification_report(["a", "a", "b", "x"], ["a", "b", "b", "b"], ["a", "b", "c"])
    assert report["accuracy"] == 0.5
    assert report["per_class"]["a"] == {"precision": 1.0, "recall": 0.5, "f1": 2 / 3, "support": 2}
    assert report["per_class"]["c"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}
    assert report["macro_f1"] == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)  # of a, b and x: c occurs nowhere
    assert report["confusion_matrix"]["rows"] == [[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0]]
