import math
import warnings

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError

import elman
from elman.runtime._linear import log_softmax
from elman.tasks import InputError, SequenceClassifier
from elman.tasks._batching import pad
from elman.tasks._classifiers.convolutions import _left_vectors
from elman.tasks._classifiers.training import ClassifyingTask
from tests.tasks.test_text_classifier import Listening
from tests.tasks.waves import EQUAL, KINDS, SEQUENCES

SMALL = {"hidden_size": 8, "epochs": 2}


@pytest.fixture(scope="module")
def fitted():
    return SequenceClassifier(hidden_size=16, epochs=30).fit(SEQUENCES, KINDS)


def test_it_learns_slow_from_fast(fitted):
    assert fitted.classes_.tolist() == ["fast", "slow"]
    assert fitted.score(SEQUENCES, KINDS) >= 0.95
    assert np.allclose(fitted.predict_proba(SEQUENCES).sum(1), 1)


def test_a_sequence_is_judged_alike_in_any_company(fitted):
    alone = np.concatenate([fitted.predict_proba([sequence]) for sequence in SEQUENCES])
    assert (alone == fitted.predict_proba([*SEQUENCES, np.tile(SEQUENCES[0], (9, 1))])[:-1]).all()


@pytest.mark.parametrize(
    "options", [{}, {"frame_size": 3, "cell": "gru"}, {"layers": 2, "bidirectional": False, "cell": "lstm"}]
)
def test_the_network_that_is_trained_has_the_bits_of_what_predicts(options):
    classifier = SequenceClassifier(**SMALL, **options).fit(SEQUENCES, KINDS)
    network = classifier._network().eval()
    learned = {name: torch.tensor(array) for name, array in classifier.model_.tensors().items()}
    network.load_state_dict({name: learned[name] for name in network.state_dict()})
    encoded = [classifier.model_.encode(sequence) for sequence in SEQUENCES]
    with torch.no_grad():
        scores = network(*pad(encoded)).numpy() + classifier.model_.convolution_scores(encoded)
    assert (scores == classifier.model_.scores(encoded)).all()


def test_fixed_convolutions_tell_what_an_untrained_network_cannot():
    classifier = SequenceClassifier(hidden_size=1, epochs=1).fit(SEQUENCES[:24], KINDS[:24])
    assert classifier.score(SEQUENCES[24:], KINDS[24:]) >= 0.95
    assert classifier.settings_.convolutions.dilations == [1, 2]


def test_convolutions_of_examples_that_do_not_differ_add_nothing():
    classifier = SequenceClassifier(**SMALL).fit(np.zeros((6, 5, 2)), ["a", "b"] * 3)
    assert not classifier.model_.convolution_scores([np.zeros((5, 2), "f")]).any()


@pytest.mark.parametrize(("held", "kept"), [(499, 3), (500, 2)])
def test_the_last_epoch_is_kept_where_few_sequences_could_choose(held, kept):
    scores = [{"validation_accuracy": accuracy, "validation_loss": 1.0} for accuracy in (0.5, 0.9, 0.6)]
    task = object.__new__(ClassifyingTask)
    task.classifier, task.held, task.encoded = SequenceClassifier(), [None] * held, []
    task.classifier.batch_size_ = 1
    ranks = [task.rank(found) for epoch, found in enumerate(scores) if task.batches(epoch) == []]
    assert ranks.index(max(ranks)) + 1 == kept


def test_what_validates_is_what_predicts(tmp_path):
    held = SEQUENCES[::3], KINDS[::3]
    classifier = SequenceClassifier(**SMALL).fit(SEQUENCES, KINDS, validation=held, channels=["swing", "speed"])
    classifier.save(tmp_path / "model")
    loaded = elman.load(tmp_path / "model")
    logarithms = log_softmax(loaded.scores([loaded.encode(sequence) for sequence in held[0]]))
    numbers = np.searchsorted(loaded.classes, held[1])
    loss = -math.fsum(logarithms[np.arange(len(numbers)), numbers].tolist()) / len(numbers)
    assert classifier.metrics_["validation_loss"] == loss
    assert loaded.channels == ["swing", "speed"]
    again = SequenceClassifier.load(tmp_path / "model")
    for each in (loaded, again):
        assert (each.predict_proba(SEQUENCES) == classifier.predict_proba(SEQUENCES)).all()
    assert again.get_params() == classifier.get_params()


@pytest.mark.parametrize(("interrupt_at", "cell"), [((1, 1), "gru"), ((2, 3), "lstm")])
def test_a_resumed_run_ends_with_the_same_bits(tmp_path, monkeypatch, interrupt_at, cell):
    monkeypatch.setattr("elman.tasks._training.CHECKPOINT_SECONDS", -1.0)
    options = {"cell": cell, "hidden_size": 8, "epochs": 3, "batch_size": 8, "layers": 2}
    whole = SequenceClassifier(**options).fit(SEQUENCES, KINDS)
    with pytest.raises(KeyboardInterrupt):
        SequenceClassifier(**options).fit(SEQUENCES, KINDS, checkpoints=tmp_path, observer=Listening(interrupt_at))
    changed = [*SEQUENCES[:-1], SEQUENCES[-1] + 1]
    with pytest.raises(InputError, match="expects the data the run began with"):
        SequenceClassifier(**options).fit(changed, KINDS, checkpoints=tmp_path, resume=True)
    resumed = SequenceClassifier(**options).fit(SEQUENCES, KINDS, checkpoints=tmp_path, resume=True)
    assert resumed.metrics_ == whole.metrics_
    for name, value in whole.model_.tensors().items():
        assert (value == resumed.model_.tensors()[name]).all(), name


def test_equal_seeds_give_equal_bits_and_engines_agree_closely():
    first, second, other, torchs = (
        SequenceClassifier(**SMALL, **options).fit(EQUAL, KINDS).predict_proba(EQUAL)
        for options in ({}, {}, {"seed": 1}, {"engine": "torch"})
    )
    assert (first == second).all()
    assert (first != other).any()
    assert np.allclose(first, torchs, atol=1e-3)


def test_long_sequences_are_read_several_steps_at_once():
    listening = Listening()
    X = [np.arange(float(length)) % 7 for length in (400, 401, 500, 30)] * 4
    classifier = SequenceClassifier(hidden_size=4, epochs=1).fit(X, ["a", "b"] * 8, observer=listening)
    assert classifier.settings_.frame_size == -(-401 // 64)
    assert "1 channel, 30 to 500 steps, read 7 at once (chosen from the data)" in listening.notices[0]


def test_missing_values_are_told_of_and_learned_from():
    listening, generator = Listening(), np.random.default_rng(0)
    X = generator.normal(size=(40, 10, 3))
    y = ["here", "gone"] * 20
    X[1::2, ::2, 1] = np.nan  # nothing but the absence tells
    classifier = SequenceClassifier(hidden_size=8, epochs=40).fit(X, y, observer=listening)
    assert classifier.settings_.flagged == [1]
    assert listening.notices[1] == "90 values are missing, of the channels 2; the network is told where"
    assert classifier.score(X, y) == 1
    X[0, 0, 0] = np.nan  # of a channel that missed none in training: the mean
    assert np.isfinite(classifier.predict_proba(X[:1])).all()


@pytest.mark.parametrize(
    "channel", [np.full(12, 7.1), np.full(12, np.nan), np.full(12, 1e-300), np.geomspace(1e-300, 1e308, 12)]
)
def test_odd_channels_do_no_harm(channel):
    X = np.concatenate([EQUAL, np.broadcast_to(channel, (len(EQUAL), 12))[:, :, None]], 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier = SequenceClassifier(hidden_size=16, epochs=30).fit(X, KINDS)
    assert classifier.score(X, KINDS) >= 0.8


def test_a_refit_that_is_stopped_leaves_what_was_before():
    classifier = SequenceClassifier(**SMALL).fit(EQUAL, KINDS)
    before = classifier.predict_proba(EQUAL)
    with pytest.raises(KeyboardInterrupt):
        classifier.fit(SEQUENCES, [1, 2] * 24, observer=Listening((1, 1)))
    assert (classifier.predict_proba(EQUAL) == before).all()
    with pytest.raises(NotFittedError):
        SequenceClassifier().predict(EQUAL)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (EQUAL, KINDS[:-1], "y: expected one for each of 48 sequences, got the shape (47,)"),
        (EQUAL, ["a"] * 48, "y: expected two classes or more, got only a"),
        (EQUAL.astype(str), KINDS, "X: expected real numbers, got ndarray of dtype <U32"),
        ([*SEQUENCES[:-1], np.zeros((4, 3))], KINDS, "X[47]: expected 2 channels, got 3"),
        ([], [], "y: expected two classes or more, got none"),
    ],
)
def test_data_of_no_use_are_refused(X, y, message):
    with pytest.raises(InputError) as caught:
        SequenceClassifier().fit(X, y)
    assert str(caught.value) == message


def test_options_and_names_of_no_use_are_refused():
    with pytest.raises(InputError, match="frame_size: expected an integer of at least 1, got 0"):
        SequenceClassifier(frame_size=0).fit(EQUAL, KINDS)
    with pytest.raises(InputError, match=r"X\[0\]: expected 3 channels, got 2"):
        SequenceClassifier().fit(EQUAL, KINDS, channels=["a", "b", "c"])
    with pytest.raises(InputError, match=r"validation y\[0\]: expected a class of the training part, got 'none'"):
        SequenceClassifier().fit(EQUAL, KINDS, validation=(EQUAL[:1], ["none"]))


@pytest.mark.parametrize("shape", [(6, 20), (20, 6)])
def test_the_ridge_regression_is_the_one_of_the_plain_equation(shape):
    generator = np.random.default_rng(0)
    shares, labels = generator.random(shape), np.arange(shape[0]) % 2
    shares[:, 3], shares[:, 4] = 0.5, shares[:, 5]
    left, squares = _left_vectors(shares - shares.mean(0))
    rows, target = shares - shares.mean(0), np.where(labels, 1.0, -1.0)
    by_vectors = rows.T @ (left / (squares + 0.1)) @ (left.T @ target)
    plain = np.linalg.solve(rows.T @ rows + 0.1 * np.eye(shape[1]), rows.T @ target)
    np.testing.assert_allclose(by_vectors, plain, atol=1e-12)
