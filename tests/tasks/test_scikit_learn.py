"""scikit-learn's own checks of estimators, where their inputs make sense, and its tools around ours."""

import inspect

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

import elman.tasks
from elman.tasks import SequenceClassifier, TextClassifier
from tests.tasks.lines import LABELS, TEXTS
from tests.tasks.waves import EQUAL, KINDS

ESTIMATORS = [
    each for name in elman.tasks.__all__ if inspect.isclass(each := getattr(elman.tasks, name)) and name != "InputError"
]

OTHER_LENGTHS = "a sequence may have another number of steps than those in training"
OTHER_WORDS = "what is refused is refused in one line of our own words: place, expected, got"
EXPECTED_FAILURES = {
    "check_classifiers_train": OTHER_LENGTHS,
    "check_n_features_in": OTHER_LENGTHS,
    "check_n_features_in_after_fitting": OTHER_LENGTHS,
    "check_classifiers_regression_target": "numbers may be classes, half stars for instance",
    "check_complex_data": OTHER_WORDS,
    "check_dtype_object": OTHER_WORDS,
    "check_estimators_empty_data_messages": OTHER_WORDS,
    "check_fit2d_1sample": OTHER_WORDS,
    "check_fit2d_predict1d": OTHER_WORDS,
    "check_requires_y_none": OTHER_WORDS,
    "check_supervised_y_2d": "labels in a column are refused, not taken with a warning",
}

# The other checks feed an estimator arrays of numbers, which are no texts, no sentences with tags, and no dated series.
CHECKS_WITHOUT_DATA = (
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_params",
)


@parametrize_with_checks(
    [SequenceClassifier(hidden_size=4, epochs=2)], expected_failed_checks=lambda estimator: EXPECTED_FAILURES
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_a_classifier_of_sequences_passes_the_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("check", CHECKS_WITHOUT_DATA)
@pytest.mark.parametrize("kind", ESTIMATORS, ids=lambda kind: kind.__name__)
def test_every_estimator_passes_the_checks_without_data(kind, check):
    getattr(estimator_checks, check)(kind.__name__, kind())


def test_tools_around_a_classifier_of_sequences():
    classifier = SequenceClassifier(hidden_size=8, epochs=3)
    assert clone(classifier).get_params() == classifier.get_params()
    assert cross_val_score(classifier, EQUAL, KINDS, cv=2).shape == (2,)
    swings = EQUAL[:, :, 0]
    assert make_pipeline(StandardScaler(), classifier).fit(swings, KINDS).predict(swings).shape == (len(KINDS),)
    search = GridSearchCV(classifier, {"frame_size": [1, 4]}, cv=2).fit(EQUAL, np.array(KINDS))
    assert search.best_estimator_.settings_.frame_size == search.best_params_["frame_size"]


def test_tools_around_a_classifier_of_texts():
    classifier = TextClassifier(hidden_size=8, embedding_size=8, epochs=1)
    assert clone(classifier).get_params() == classifier.get_params()
    assert cross_val_score(classifier, np.array(TEXTS), LABELS, cv=2).shape == (2,)
    pipeline = make_pipeline(FunctionTransformer(lambda texts: [text.strip() for text in texts]), classifier)
    assert pipeline.fit(TEXTS, LABELS).predict(TEXTS[:3]).shape == (3,)
