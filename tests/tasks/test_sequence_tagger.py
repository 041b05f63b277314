import math

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from elman.runtime._linear import log_softmax
from elman.runtime._tagger.tags import encode_spans, first_fault, tag_spans
from elman.tasks import InputError, SequenceTagger
from elman.tasks._tagger.metrics import tagging_report
from elman.tasks._tagger.training import TaggingTask, transition_logarithms
from elman.tasks._training import Observer
from tests.tasks.sentences import SENTENCES, TAGS

SMALL = {"hidden_size": 8, "embedding_size": 8, "character_size": 4}


class Listening(Observer):
    def __init__(self, interrupt_at=None):
        self.notices, self.interrupt_at = [], interrupt_at

    def notice(self, text):
        self.notices.append(text)

    def stepped(self, epoch, step, loss, examples):
        if (epoch, step) == self.interrupt_at:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def fitted():
    return SequenceTagger(hidden_size=16, embedding_size=16, character_size=8, epochs=20, learning_rate=0.01).fit(
        SENTENCES, TAGS
    )


def test_it_learns_places_and_days_and_words_never_seen(fitted):
    assert fitted.scheme_ == "BIO"
    assert fitted.classes_.tolist() == ["B-day", "B-place", "I-place", "O"]
    assert fitted.score(SENTENCES, TAGS) >= 0.95
    sentence = ["Walk", "to", "Rome", "on", "Friday", "."]
    assert fitted.predict([sentence]) == [["O", "O", "B-place", "O", "B-day", "O"]]
    probabilities = fitted.predict_proba([sentence, []])
    assert [rows.shape for rows in probabilities] == [(6, 4), (0, 4)]
    assert np.allclose(probabilities[0].sum(1), 1)


def test_no_gradient_hangs_on_which_thread_comes_first():
    fitted = SequenceTagger(**SMALL, epochs=1).fit(SENTENCES, TAGS)
    task = TaggingTask(fitted, [(SENTENCES, TAGS), (SENTENCES[:3], TAGS[:3])])
    ways, known = [task.loss(task.network, range(8)).grad_fn], set()
    while ways:
        way = ways.pop()
        if way is not None and way not in known:
            known.add(way)
            ways += [before for before, _ in way.next_functions]
    names = {way.name() for way in known}
    assert "EmbeddingBackward0" in names
    assert not names & {"IndexBackward0", "IndexPutBackward0", "PutBackward0", "ScatterAddBackward0"}


def test_transitions_are_likelier_than_chance_where_they_were_seen_more_often():
    logarithms = transition_logarithms(np.array([0, 1, 1, 1, 0]), np.array([3, 2]), 2)
    counts = np.array([[0, 1, 1], [1, 1, 1], [1, 1, 0]]) + 0.1  # from 0, from 1, from the start; to the end last
    after, anywhere = counts / counts.sum(1, keepdims=True), counts.sum(0) / counts.sum()
    np.testing.assert_allclose(logarithms, np.log(after) - np.log(anywhere))


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_the_network_in_training_and_the_runtime_have_the_same_bits(cell):
    parts = [(SENTENCES, TAGS), (SENTENCES[:3], TAGS[:3])]
    fitted = SequenceTagger(**SMALL, cell=cell, epochs=1).fit(*parts[0])
    task = TaggingTask(fitted, parts)
    task.network.load_state_dict({name: torch.tensor(array) for name, array in fitted.model_.tensors().items()})
    task.network.eval()
    model = task.trained()
    batch = task.encoded.batch(range(len(SENTENCES)))
    with torch.no_grad():
        scores = task.network(batch).numpy()
    assert (model.scores(task.encoded)[batch.tokens] == scores).all()


def test_what_validates_is_what_predicts(tmp_path):
    sentences, tags = SENTENCES[::3], TAGS[::3]
    tagger = SequenceTagger(**SMALL, epochs=3).fit(SENTENCES, TAGS, validation=(sentences, tags))
    tagger.save(tmp_path / "model")
    loaded = SequenceTagger.load(tmp_path / "model")
    numbers = [tagger.classes_.tolist().index(tag) for each in tags for tag in each]
    logarithms = log_softmax(loaded.model_.scores(loaded.model_.encode(sentences)))
    loss = -math.fsum(logarithms[np.arange(len(numbers)), numbers].tolist()) / len(numbers)
    report = tagging_report(tags, loaded.predict(sentences), "BIO")
    assert tagger.metrics_["validation_loss"] == loss
    assert tagger.metrics_["validation_f1"] == report["f1"] == loaded.score(sentences, tags)
    assert tagger.metrics_["validation_accuracy"] == report["accuracy"]
    assert loaded.get_params() == tagger.get_params()
    assert loaded.classes_.tolist() == tagger.classes_.tolist()


def test_manners_of_scikit_learn():
    """Its own checks of estimators hand over arrays of numbers; sentences are ragged lists of strings."""
    tagger = SequenceTagger(**SMALL, epochs=1)
    assert clone(tagger).get_params() == tagger.get_params()
    sentences, tags = np.empty(len(SENTENCES), object), np.empty(len(TAGS), object)
    sentences[:], tags[:] = SENTENCES, TAGS
    assert cross_val_score(tagger, sentences, tags, cv=2).shape == (2,)
    assert cross_val_score(tagger, SENTENCES, TAGS, cv=2).shape == (2,)
    lower = FunctionTransformer(lambda sentences: [[token.lower() for token in each] for each in sentences])
    pipeline = make_pipeline(lower, tagger).fit(SENTENCES, TAGS)
    assert len(pipeline.predict(SENTENCES[:3])) == 3
    with pytest.raises(NotFittedError):
        SequenceTagger().predict(SENTENCES)


@pytest.mark.parametrize("scheme", ["BIOES", "BILOU", "BMEW"])
def test_other_schemes_stay_what_they_are(scheme):
    tags = [encode_spans(tag_spans(each), len(each), scheme) for each in TAGS]
    tagger = SequenceTagger(**SMALL, epochs=1).fit(SENTENCES, tags)
    assert tagger.scheme_ == scheme
    assert all(first_fault(each, scheme) is None for each in tagger.predict(SENTENCES))


def test_word_segmentation_predicts_words():
    words = [["我们", "在", "北京市"], ["他们", "去", "上海市"]] * 10
    sentences = [list("".join(each)) for each in words]
    tags = [list("".join("S" if len(w) == 1 else f"B{'M' * (len(w) - 2)}E" for w in each)) for each in words]
    tagger = SequenceTagger(**SMALL, epochs=30, validation=0).fit(sentences, tags)
    assert tagger.scheme_ == "bare BMES"
    assert tagger.score(sentences, tags) == 1
    assert tagger.model_.spans([list("他们在北京市")]) == [[("", 0, 2), ("", 2, 3), ("", 3, 6)]]


def test_iob1_becomes_bio():
    listening = Listening()
    tags = [[tag.replace("B-", "I-") for tag in each] for each in TAGS]
    tagger = SequenceTagger(**SMALL, epochs=1).fit(SENTENCES, tags, observer=listening)
    assert tagger.classes_.tolist() == ["B-day", "B-place", "I-place", "O"]
    assert listening.notices[1] == "tags are IOB1; the model's are BIO"


def test_plain_tags_and_single_characters():
    listening = Listening()
    sentences, tags = [list("帝京篇"), list("秦川雄")] * 10, [["O", "O", "，"], ["O", "O", "。"]] * 10
    tagger = SequenceTagger(**SMALL, epochs=20, validation=0, learning_rate=0.02).fit(
        sentences, tags, observer=listening
    )
    assert (tagger.scheme_, tagger.tokens_) == ("plain", "char")
    assert tagger.model_.settings.network.character_size == 0
    assert tagger.predict([list("秦川雄")]) == [["O", "O", "。"]]
    assert tagger.data_["training_by_class"].keys() == {"，", "。"}
    assert listening.notices[0].startswith(
        "20 sentences of 60 tokens to train on, 0 to validate; 3 plain tags; tokens are single characters"
    )


def test_ill_formed_tags_are_refused_or_repaired():
    tags = [*TAGS[:-1], ["O", "O", *TAGS[-1][3:], "O"]]
    with pytest.raises(InputError) as caught:
        SequenceTagger(**SMALL).fit(SENTENCES, tags)
    place = f"tags[{len(tags) - 1}][2]"
    assert str(caught.value) == (f"{place}: expected what may follow O in BIO, got I-place; repair_tags=True mends it")
    listening = Listening()
    tagger = SequenceTagger(**SMALL, epochs=1, repair_tags=True).fit(SENTENCES, tags, observer=listening)
    assert tagger.data_["repaired"] == 1
    assert listening.notices[1] == "ill-formed tags were repaired in 1 sentence"


def test_equal_seeds_give_equal_bits_and_engines_agree_closely():
    def probabilities(**options):
        return np.concatenate(
            SequenceTagger(**SMALL, epochs=2, **options).fit(SENTENCES, TAGS).predict_proba(SENTENCES)
        )

    first = probabilities(seed=5)
    assert (first == probabilities(seed=5)).all()
    assert (first != probabilities(seed=6)).any()
    assert np.allclose(first, probabilities(seed=5, engine="torch"), atol=1e-3)


@pytest.mark.parametrize(("interrupt_at", "cell"), [((1, 1), "rnn"), ((2, 3), "gru"), ((3, 2), "lstm")])
def test_a_resumed_run_ends_with_the_same_bits(tmp_path, monkeypatch, interrupt_at, cell):
    monkeypatch.setattr("elman.tasks._training.CHECKPOINT_SECONDS", -1.0)
    options = {**SMALL, "cell": cell, "epochs": 4, "batch_size": 8}
    whole = SequenceTagger(**options).fit(SENTENCES, TAGS)
    with pytest.raises(KeyboardInterrupt):
        SequenceTagger(**options).fit(SENTENCES, TAGS, checkpoints=tmp_path, observer=Listening(interrupt_at))
    resumed = SequenceTagger(**options).fit(SENTENCES, TAGS, checkpoints=tmp_path, resume=True)
    assert resumed.metrics_ == whole.metrics_
    for name, value in whole.model_.tensors().items():
        assert (value == resumed.model_.tensors()[name]).all(), name


def test_a_run_is_resumed_with_its_own_data_alone(tmp_path):
    SequenceTagger(**SMALL, epochs=1).fit(SENTENCES, TAGS, checkpoints=tmp_path)
    with pytest.raises(InputError, match=r"expects the .* the run began with"):
        SequenceTagger(**SMALL, epochs=1).fit(SENTENCES[1:], TAGS[1:], checkpoints=tmp_path, resume=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"character_size": -1}, "character_size: expected an integer of at least 0, got -1"),
        ({"repair_tags": 1}, "repair_tags: expected True or False, got 1"),
        ({"hidden_size": 0}, "hidden_size: expected an integer of at least 1, got 0"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(InputError) as caught:
        SequenceTagger(**options).fit(SENTENCES, TAGS)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("sentences", "tags", "message"),
    [
        ([], [], "sentences: expected one or more, got none"),
        ([["a"]], [], "tags: expected those of 1 sentences, got those of 0"),
        ([["a"]], [["O", "O"]], "tags[0]: expected a tag for each of 1 tokens, got 2"),
        ([["a"], []], [["O"], []], "sentences[1]: expected one token or more, got none"),
        ([["a", ""]], [["O", "X"]], "sentences[0][1]: expected a string, got an empty one"),
        ([["a", "b"]], [["O", ""]], "tags[0][1]: expected a tag, got an empty one"),
        ([["a", "b"]], [["O", "X\0"]], "tags[0][1]: expected a tag that prints, got 'X\\x00'"),
        ([["a"]], ["O"], "tags[0]: expected a sequence of strings, got one text"),
        ([["a"], ["b"]], [["O"], ["O"]], "tags: expected two different ones or more, got only 'O'"),
        ([["a", "b", "c"]], [["B-x", "B-y", "tag"]], "tags[0][2]: expected a tag of BIO (O, B-…, I-…), got 'tag'"),
    ],
)
def test_data_of_no_use_are_refused(sentences, tags, message):
    with pytest.raises(InputError) as caught:
        SequenceTagger(**SMALL, epochs=1).fit(sentences, tags)
    assert str(caught.value) == message


def test_validation_data_with_other_tags_are_refused():
    with pytest.raises(InputError) as caught:
        SequenceTagger(**SMALL).fit(SENTENCES, TAGS, validation=([["a"]], [["B-time"]]))
    assert str(caught.value) == "validation tags[0][0]: expected a tag seen in training, got 'B-time'"


def test_figures_by_hand():
    truth = [["B-a", "I-a", "O", "B-b"], ["B-a", "O"]]
    found = [["B-a", "O", "O", "B-b"], ["B-a", "B-b"]]
    report = tagging_report(truth, found, "BIO")
    assert (report["precision"], report["recall"], report["accuracy"]) == (2 / 4, 2 / 3, 4 / 6)
    assert report["f1"] == 2 * 2 / (4 + 3)
    assert report["per_type"]["a"] == {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 2}
    assert report["per_type"]["b"] == {"precision": 0.5, "recall": 1.0, "f1": 2 / 3, "support": 1}
    plain = tagging_report([["O", "X", "Y"]], [["X", "X", "O"]], "plain")
    assert (plain["precision"], plain["recall"], plain["accuracy"]) == (0.5, 0.5, 1 / 3)


def test_figures_are_those_of_nervaluate():
    nervaluate = pytest.importorskip("nervaluate")
    generator = np.random.default_rng(0)
    known = ["O", "B-a", "B-b", "I-a", "I-b"]
    drawn = [[[known[i] for i in generator.integers(0, 5, 12)] for _ in range(50)] for _ in range(2)]
    truth, found = ([encode_spans(tag_spans(tags), 12, "BIO") for tags in part] for part in drawn)
    theirs = nervaluate.Evaluator(truth, found, tags=["a", "b"], loader="list").evaluate()
    ours = tagging_report(truth, found, "BIO")
    for name in ("precision", "recall", "f1"):
        assert ours[name] == pytest.approx(getattr(theirs["overall"]["strict"], name))
        for kind in ("a", "b"):
            assert ours["per_type"][kind][name] == pytest.approx(getattr(theirs["entities"][kind]["strict"], name))


def test_pairs_of_words_are_counted_and_those_of_single_characters_are_not(fitted):
    assert fitted.model_.settings.network.ngram == 2
    characters = SequenceTagger(**SMALL, epochs=1).fit([["天", "地"], ["人", "天"]] * 5, [["X", "O"]] * 10)
    assert characters.model_.settings.network.ngram == 1
