import math
import re

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import elman
from elman.runtime._linear import log_softmax
from elman.tasks import InputError, TextClassifier
from elman.tasks._training import Observer
from tests.tasks.lines import LABELS, TEXTS

SMALL = {"hidden_size": 8, "embedding_size": 8}


class Listening(Observer):
    def __init__(self, interrupt_at=None):
        self.notices, self.records, self.interrupt_at = [], [], interrupt_at

    def notice(self, text):
        self.notices.append(text)

    def epoch_ended(self, record, best):
        self.records.append(record)

    def stepped(self, epoch, step, loss, examples):
        if (epoch, step) == self.interrupt_at:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def fitted():
    return TextClassifier(hidden_size=16, embedding_size=16).fit(TEXTS, LABELS)


def test_it_learns_which_book_a_line_is_from(fitted):
    assert fitted.classes_.tolist() == ["论语", "诗经"]
    assert fitted.tokens_ == "char"
    assert fitted.score(TEXTS, LABELS) >= 0.95
    assert fitted.predict(["子曰：“德不孤，必有邻。”", "彼黍离离，彼稷之苗。"]).tolist() == ["论语", "诗经"]


def test_probabilities_sum_to_one(fitted):
    probabilities = fitted.predict_proba(TEXTS)
    assert probabilities.shape == (len(TEXTS), 2)
    assert np.allclose(probabilities.sum(1), 1)
    assert fitted.predict_proba([]).shape == (0, 2)


def test_a_text_is_judged_alike_in_any_company(fitted):
    alone = np.concatenate([fitted.predict_proba([text]) for text in TEXTS])
    assert (alone == fitted.predict_proba([*TEXTS, TEXTS[0] * 30])[:-1]).all()


def test_an_empty_or_unknown_text_has_a_prediction(fitted):
    assert np.isfinite(fitted.predict_proba(["", "\n", "zzz", "\ud800"])).all()


def test_manners_of_scikit_learn():
    classifier = TextClassifier(**SMALL, epochs=1)
    copy = clone(classifier)
    assert copy.get_params() == classifier.get_params()
    assert cross_val_score(copy, np.array(TEXTS), LABELS, cv=2).shape == (2,)
    pipeline = make_pipeline(FunctionTransformer(lambda texts: [t.strip() for t in texts]), classifier)
    assert pipeline.fit(TEXTS, LABELS).predict(TEXTS[:3]).shape == (3,)


@pytest.mark.parametrize("labels", [[3, 1] * 20, [True, False] * 20, ["b", "a"] * 20])
def test_labels_keep_their_type(tmp_path, labels):
    classifier = TextClassifier(**SMALL, epochs=1).fit(TEXTS[:40], labels[: len(TEXTS)])
    classifier.save(tmp_path)
    loaded = TextClassifier.load(tmp_path)
    for each in (classifier, loaded):
        assert each.classes_.tolist() == sorted(set(labels))
        assert each.predict(TEXTS[:1]).dtype == np.unique(labels).dtype


def test_equal_seeds_give_equal_bits_and_leave_the_callers_generator():
    torch.manual_seed(1)
    first = TextClassifier(**SMALL, epochs=2, seed=5).fit(TEXTS, LABELS).predict_proba(TEXTS)
    drawn = torch.rand(1)
    torch.manual_seed(1)
    assert drawn == torch.rand(1)
    second = TextClassifier(**SMALL, epochs=2, seed=5).fit(TEXTS, LABELS).predict_proba(TEXTS)
    third = TextClassifier(**SMALL, epochs=2, seed=6).fit(TEXTS, LABELS).predict_proba(TEXTS)
    assert (first == second).all()
    assert (first != third).any()


@pytest.mark.parametrize(("cell", "layers"), [("rnn", torch.nn.RNN), ("gru", torch.nn.GRU), ("lstm", torch.nn.LSTM)])
def test_engines_agree_closely(cell, layers):
    ours, torchs = (
        TextClassifier(**SMALL, cell=cell, epochs=3, engine=engine).fit(TEXTS, LABELS) for engine in ("elman", "torch")
    )
    assert type(ours._network().rnn).__module__ == "elman.nn"
    assert type(torchs._network().rnn) is layers
    assert np.allclose(ours.predict_proba(TEXTS), torchs.predict_proba(TEXTS), atol=1e-3)


def test_training_stops_early_and_keeps_the_best_epoch():
    listening = Listening()
    classifier = TextClassifier(hidden_size=16, epochs=60, validation=0.3, learning_rate=0.02)
    classifier.fit(TEXTS, LABELS, observer=listening)
    ranks = [(r.scores["validation_accuracy"], -r.scores["validation_loss"]) for r in listening.records]
    best = listening.records[ranks.index(max(ranks))]
    assert len(listening.records) < 60
    assert classifier.metrics_["epoch"] == best.epoch
    assert classifier.metrics_["validation_loss"] == best.scores["validation_loss"]


def test_what_validates_is_what_predicts(tmp_path):
    # the figures of training, of a prediction later, and of a process without PyTorch: the same bits
    texts, labels = TEXTS[::3], LABELS[::3]
    classifier = TextClassifier(**SMALL, epochs=3).fit(TEXTS, LABELS, validation=(texts, labels))
    classifier.save(tmp_path / "model")
    loaded = elman.load(tmp_path / "model")
    numbers = np.searchsorted(loaded.classes, labels)
    logarithms = log_softmax(loaded.scores([loaded.encode(text) for text in texts]))
    loss = -math.fsum(logarithms[np.arange(len(texts)), numbers].tolist()) / len(texts)
    assert classifier.metrics_["validation_loss"] == loss
    assert classifier.metrics_["validation_accuracy"] == np.mean(loaded.predict(texts) == labels)
    assert (loaded.predict_proba(texts) == classifier.predict_proba(texts)).all()


def test_a_refit_that_is_stopped_leaves_what_was_before():
    classifier = TextClassifier(**SMALL, epochs=1).fit(TEXTS, LABELS)
    before = classifier.predict(TEXTS)
    with pytest.raises(KeyboardInterrupt):
        classifier.fit(TEXTS, ["spam", "ham"] * (len(TEXTS) // 2), observer=Listening((1, 1)))
    with pytest.raises(InputError):
        classifier.fit(TEXTS, ["spam"] * len(TEXTS))
    assert classifier.classes_.tolist() == ["论语", "诗经"]
    assert (classifier.predict(TEXTS) == before).all()


def test_what_is_not_fitted_says_so():
    with pytest.raises(NotFittedError):
        TextClassifier().predict(["a"])


def test_the_callers_default_dtype_and_odd_integers_do_not_matter(tmp_path):
    torch.set_default_dtype(torch.float64)
    labels = np.array([3, 2**40] * 20, np.uint64)[: len(TEXTS)]
    classifier = TextClassifier(**SMALL, epochs=1).fit(TEXTS, labels)
    classifier.save(tmp_path / "model")
    assert TextClassifier.load(tmp_path / "model").classes_.tolist() == [3, 2**40]
    with pytest.raises(InputError, match=r"labels: expected integers below 2\*\*63, got 9223372036854775809"):
        TextClassifier(**SMALL).fit(TEXTS, np.array([3, 2**63 + 1] * 20, np.uint64)[: len(TEXTS)])


def test_without_validation_the_last_epoch_is_kept():
    classifier = TextClassifier(**SMALL, epochs=3, validation=0).fit(TEXTS, LABELS)
    assert classifier.metrics_.keys() == {"epoch", "epochs", "loss"}
    assert classifier.metrics_["epoch"] == 3


def test_notices_say_what_was_chosen_cut_and_kept():
    listening = Listening()
    texts, labels = [*TEXTS, "楚" * 100], [*LABELS, "楚辞"]
    TextClassifier(**SMALL, epochs=1, max_length=50).fit(texts, labels, observer=listening)
    first, cut, rare, few, kept = listening.notices
    assert "37 texts to train on, 4 to validate, 3 classes; texts are read by characters (chosen" in first
    assert cut == "cut to 50 characters: 1 text (max_length)"
    assert rare == "too rare to set a part aside for validation, kept in training: 楚辞"
    assert few == "validation rests on only 4 texts: its scores are rough"
    assert re.fullmatch(r"kept: epoch 1 of 1, validation loss \S+, accuracy \S+ \(only 4 texts\)", kept)


@pytest.mark.parametrize(("interrupt_at", "cell"), [((1, 1), "rnn"), ((2, 2), "gru"), ((3, 3), "lstm")])
def test_a_resumed_run_ends_with_the_same_bits(tmp_path, monkeypatch, interrupt_at, cell):
    monkeypatch.setattr("elman.tasks._training.CHECKPOINT_SECONDS", -1.0)
    options = {**SMALL, "cell": cell, "epochs": 4, "batch_size": 8, "layers": 2}
    whole = TextClassifier(**options).fit(TEXTS, LABELS)
    with pytest.raises(KeyboardInterrupt):
        TextClassifier(**options).fit(TEXTS, LABELS, checkpoints=tmp_path, observer=Listening(interrupt_at))
    resumed = TextClassifier(**options).fit(TEXTS, LABELS, checkpoints=tmp_path, resume=True)
    assert resumed.metrics_ == whole.metrics_
    for name, value in whole.model_.tensors().items():
        assert (value == resumed.model_.tensors()[name]).all(), name


def test_a_run_of_which_nothing_has_been_kept_begins(tmp_path):
    options, listening = {**SMALL, "epochs": 2}, Listening()
    whole = TextClassifier(**options).fit(TEXTS, LABELS)
    begun = TextClassifier(**options).fit(TEXTS, LABELS, checkpoints=tmp_path, resume=True, observer=listening)
    assert listening.notices[1] == f"{tmp_path}: nothing has been kept there yet; the run begins"
    for name, value in whole.model_.tensors().items():
        assert (value == begun.model_.tensors()[name]).all(), name


def test_a_run_is_resumed_only_as_it_began(tmp_path, monkeypatch):
    def resume(texts=TEXTS, **changed):
        TextClassifier(**{**SMALL, "epochs": 1, **changed}).fit(texts, LABELS, checkpoints=tmp_path, resume=True)

    TextClassifier(**SMALL, epochs=1).fit(TEXTS, LABELS, checkpoints=tmp_path)
    with pytest.raises(InputError, match=r"expects the run's own dropout, 0\.4, got 0\.1"):
        resume(dropout=0.1)
    with pytest.raises(InputError, match="expects the run's own threads, 1, got 2"):
        resume(threads=2)
    with pytest.raises(InputError, match="expects the data the run began with"):
        resume(texts=[*TEXTS[:-1], "别的"])
    monkeypatch.setattr("elman.tasks._environment.__version__", "9.9")
    with pytest.raises(InputError, match=r"expects the run's own elman, .*, got 9\.9"):
        resume()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_size": 0}, "hidden_size: expected an integer of at least 1, got 0"),
        ({"layers": 1.5}, "layers: expected an integer of at least 1, got 1.5"),
        ({"epochs": -1}, "epochs: expected an integer of at least 1, got -1"),
        ({"batch_size": True}, "batch_size: expected an integer of at least 1, got True"),
        ({"seed": -1}, "seed: expected an integer of at least 0, got -1"),
        ({"dropout": 1.5}, "dropout: expected a number from 0 to below 1, got 1.5"),
        ({"validation": "x"}, "validation: expected a number from 0 to below 1, got 'x'"),
        ({"learning_rate": float("nan")}, "learning_rate: expected a number above 0, got nan"),
        ({"tokens": "words"}, "tokens: expected char or word, got 'words'"),
        ({"engine": "jax"}, "engine: expected elman or torch, got 'jax'"),
        ({"bidirectional": 1}, "bidirectional: expected True or False, got 1"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(InputError) as caught:
        TextClassifier(**options).fit(TEXTS, LABELS)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("texts", "labels", "message"),
    [
        ("ab", ["x", "y"], "texts: expected a sequence of texts, got one text"),
        (["a", None], ["x", "y"], "texts[1]: expected a text, got a missing value"),
        (["a", 3], ["x", "y"], "texts[1]: expected a text, got int"),
        (["a", " "], ["x", "y"], "texts[1]: expected a text, got an empty one"),
        (["a", "b"], ["x"], "labels: expected one for each of 2 texts, got the shape (1,)"),
        (["a", "b"], ["x", "x"], "labels: expected two classes or more, got only x"),
        ([], [], "labels: expected two classes or more, got none"),
    ],
)
def test_data_of_no_use_are_refused(texts, labels, message):
    with pytest.raises(InputError) as caught:
        TextClassifier().fit(texts, labels)
    assert str(caught.value) == message


def test_a_diverging_run_says_so():
    with pytest.raises(InputError, match="learning_rate: expected a smaller one, for the loss became"):
        TextClassifier(**SMALL, learning_rate=1e30, epochs=30).fit(TEXTS, LABELS)


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_missing_labels_are_refused(missing):
    labels = np.array([*LABELS[:-1], missing], dtype=object)
    with pytest.raises(InputError, match=rf"labels\[{len(TEXTS) - 1}\]: expected a label, got a missing value"):
        TextClassifier(**SMALL).fit(TEXTS, labels)


def test_integer_labels_in_a_column_of_objects_stay_integers():
    labels = np.array([len(text) % 2 for text in TEXTS], dtype=object)
    classifier = TextClassifier(**SMALL, epochs=1).fit(TEXTS, labels)
    assert classifier.classes_.dtype == np.int64
    assert 0 <= classifier.score(TEXTS, labels.tolist()) <= 1


def test_options_may_be_numbers_of_numpy(tmp_path):
    options = {
        "hidden_size": np.int64(8),
        "embedding_size": np.int32(8),
        "epochs": np.int64(1),
        "dropout": np.float32(0.25),
    }
    classifier = TextClassifier(**options).fit(TEXTS, LABELS, checkpoints=tmp_path / "checkpoints")
    classifier.save(tmp_path / "model")
    assert TextClassifier.load(tmp_path / "model").get_params()["dropout"] == 0.25


@pytest.mark.parametrize(("count", "ngram"), [(30, 3), (600, 1)])
def test_n_grams_are_counted_where_few_tokens_are_known(tmp_path, count, ngram):
    texts = [f"one{number} two{number} three" for number in range(count)]
    classifier = TextClassifier(**SMALL, epochs=1).fit(texts, ["a", "b"] * (count // 2))
    assert classifier.model_.settings.network.ngram == ngram
    assert ("ngrams.weight" in classifier.model_.tensors()) == (ngram > 1)
    classifier.save(tmp_path)
    assert (elman.load(tmp_path).predict_proba(texts) == classifier.predict_proba(texts)).all()
    assert TextClassifier.load(tmp_path).get_params() == classifier.get_params()
