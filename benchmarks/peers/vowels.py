"""Classify sequences with aeon: ``minirocket``, shorter ones filled with zeros, or ``dtw``, the nearest neighbour."""

import sys
from typing import Any

from aeon.classification.convolution_based import MiniRocketClassifier
from aeon.classification.distance_based import KNeighborsTimeSeriesClassifier
from aeon.datasets import load_from_ts_file
from aeon.transformations.collection.unequal_length import Padder
from shared import paths, report, timed
from sklearn.metrics import accuracy_score, f1_score
from sklearn.pipeline import make_pipeline


def classifier(name: str) -> Any:
    if name == "dtw":
        return KNeighborsTimeSeriesClassifier(n_neighbors=1, distance="dtw")
    return make_pipeline(Padder(padded_length=LONGEST), MiniRocketClassifier(random_state=0, n_jobs=1))


LONGEST = 29


def main() -> None:
    (X, y), (test_X, truth) = (load_from_ts_file(str(path)) for path in paths())
    model = classifier(sys.argv[3])
    _, training = timed(lambda: model.fit(X, y))
    predicted, prediction = timed(lambda: model.predict(test_X))
    accuracy, macro_f1 = accuracy_score(truth, predicted), f1_score(truth, predicted, average="macro")
    report(training, prediction, accuracy=accuracy, macro_f1=macro_f1)


if __name__ == "__main__":
    main()
