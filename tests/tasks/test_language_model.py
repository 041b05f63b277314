"""Training a language model: it learns, the runtime has the network's bits, a resumed run ends as a whole one."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from torch.nn.functional import log_softmax

import elman
from elman import InputError
from elman.runtime._ngrams import ngram_rows
from elman.tasks import LanguageModel
from elman.tasks._language.corpus import encode
from elman.tasks._language.training import ModellingTask, build_network
from elman.tasks._training import Observer
from tests.tasks.lines import TEXTS

TEXT = "\n".join(TEXTS) + "\n"
SMALL = {"hidden_size": 8, "embedding_size": 8, "ngram": 3, "epochs": 2, "batch_size": 3, "window": 10}


class Interrupting(Observer):
    def __init__(self, epoch, step):
        self.at = (epoch, step)

    def stepped(self, epoch, step, loss, examples):
        if (epoch, step) == self.at:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def fitted():
    return LanguageModel(
        hidden_size=32, embedding_size=16, epochs=12, ngram=4, window=20, dropout=0.0, ngram_dropout=0.0
    ).fit(TEXT * 3)


def test_it_learns_a_text_by_heart(fitted):
    assert fitted.score(TEXT) > -1.5
    line = fitted.generate("关关雎鸠，", 7, temperature=0)
    assert line == "在河之洲。\n窈"
    assert fitted.metrics_["validation_bits_per_character"] < 2
    assert fitted.data_["training"] + fitted.data_["validation"] == 3 * len(TEXT)


def test_a_saved_model_is_the_same_without_training(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    loaded, runtime = LanguageModel.load(tmp_path / "model"), elman.load(tmp_path / "model")
    assert loaded.get_params() == fitted.get_params() | {"threads": None}
    assert loaded.score(TEXT) == fitted.score(TEXT) == -runtime.bits_per_character(TEXT)
    assert "".join(runtime.generate("子曰", 30, seed=4)) == fitted.generate("子曰", 30, seed=4)


def task_of(**options):
    model = LanguageModel(**SMALL | options)
    model.batch_size_, model.ngram_dropout_ = model.batch_size, 0.5
    corpus = encode([TEXT], 0.1, model.tokens)
    network = build_network(model, corpus)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return ModellingTask(model, corpus, network)


@pytest.mark.parametrize("options", [{}, {"ngram": 1, "cell": "gru"}, {"tokens": "word", "layers": 2, "cell": "lstm"}])
def test_the_network_that_is_trained_has_the_same_bits(options):
    task = task_of(**options)
    trained, network = task.trained(), task.network.eval()
    numbers = np.array(task.corpus.training[:40], dtype=np.int64)
    stream = trained.stream()
    stream._stream.reset()
    stream._context[:] = 0
    rows = ngram_rows(np.concatenate([stream._context, numbers]), task.context + 1, network.sizes.ngram_rows)
    with torch.no_grad():
        scores, _ = network(torch.from_numpy(numbers)[:, None], torch.from_numpy(rows)[:, :, None], ())
    assert (stream.read(numbers) == scores.numpy()).all()


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_states_and_n_grams_go_on_over_the_borders_of_windows(cell):
    task = task_of(cell=cell, batch_size=1)
    task.network.eval()
    first, second, *_ = task.batches(0)
    with torch.no_grad():
        losses = [float(task.loss(task.network, batch)) for batch in (first, second)]
        task.places = torch.zeros(0)
        task.window = 20
        assert float(task.loss(task.network, first)) == pytest.approx(sum(losses) / 2, rel=1e-6)
        task.places = torch.zeros(0)
        task.window = 10
        assert float(task.loss(task.network, second)) != losses[1]


def test_the_loss_is_that_of_the_tokens_that_follow():
    task = task_of(batch_size=2)
    task.network.eval()
    batch = task.batches(0)[0]
    trained, losses = task.trained(), []
    for place in batch:
        numbers = np.array(task.corpus.training, dtype=np.int64)
        stream = trained.stream()
        stream._stream.reset()
        stream._context = np.concatenate([np.zeros(9, np.int64), numbers[:place]])[-task.context :]
        scores = torch.from_numpy(stream.read(numbers[place : place + 10]))
        losses.append(-log_softmax(scores, 1)[range(10), numbers[place + 1 : place + 11]].mean())
    with torch.no_grad():
        loss = float(task.loss(task.network, batch))
    assert loss == pytest.approx(float(sum(losses)) / 2, rel=1e-5)
    assert task.size(batch) == 20


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("longest", [10_000, 200])
def test_every_window_lies_in_the_text_and_goes_on_where_the_last_ended(monkeypatch, seed, longest):
    monkeypatch.setattr("elman.tasks._language.training.LONGEST_EPOCH", longest)
    task = task_of(seed=seed)
    length = len(task.corpus.training)
    read, ended = set(), None
    for epoch in range(6):
        batches = np.array(task.batches(epoch))
        assert len(batches) == len(task.batches(0))
        assert (np.diff(batches, axis=0) == 10).all()
        assert batches.min() >= 0
        assert batches.max() + 10 < length
        assert longest > length or epoch % 3 == 0 or (batches[0] == ended + 10).all()
        ended = batches[-1]
        read |= {place + step for place in batches.ravel().tolist() for step in range(10)}
    assert len(read) > 0.7 * length


@pytest.mark.parametrize(("at", "cell"), [((1, 2), "rnn"), ((1, 2), "gru"), ((2, 3), "lstm")])
def test_a_resumed_run_ends_with_the_same_bits(tmp_path, monkeypatch, at, cell):
    monkeypatch.setattr("elman.tasks._training.CHECKPOINT_SECONDS", -1.0)
    options = SMALL | {"cell": cell, "epochs": 3, "dropout": 0.2}
    whole = LanguageModel(**options).fit(TEXT)
    with pytest.raises(KeyboardInterrupt):
        LanguageModel(**options).fit(TEXT, checkpoints=tmp_path, observer=Interrupting(*at))
    resumed = LanguageModel(**options).fit(TEXT, checkpoints=tmp_path, resume=True)
    assert resumed.metrics_ == whole.metrics_
    for name, value in whole.model_.tensors().items():
        assert (value == resumed.model_.tensors()[name]).all(), name
    with pytest.raises(InputError, match="resume=True expects the data the run began with"):
        LanguageModel(**options).fit(TEXT + "x", checkpoints=tmp_path, resume=True)


def test_texts_can_be_a_file_one_text_or_several(tmp_path):
    (tmp_path / "text.txt").write_bytes(TEXT.encode("gb18030"))
    models = [
        LanguageModel(**SMALL).fit(TEXT),
        LanguageModel(**SMALL).fit(TEXTS),
        LanguageModel(**SMALL).fit(tmp_path / "text.txt", encoding="gb18030"),
    ]
    assert len({model.score(TEXT) for model in models}) == 1
    held = LanguageModel(**SMALL).fit(TEXT, validation=TEXTS[:9])
    assert held.data_["training"] == len(TEXT)
    assert held.data_["validation"] == sum(map(len, TEXTS[:9])) + 9


def test_it_has_the_manners_of_scikit_learn():
    model = LanguageModel(**SMALL | {"epochs": 1})
    assert clone(model).get_params() == model.get_params()
    scores = cross_val_score(model, TEXTS, cv=2)
    assert (scores < 0).all()
    assert LanguageModel(**SMALL | {"validation": 0, "epochs": 1}).fit(TEXT).metrics_.keys() == {
        "epoch",
        "epochs",
        "loss",
    }


@pytest.mark.parametrize(
    ("texts", "options", "message"),
    [
        ("床前明月光", {}, "texts: expected 20 characters or more to train on, got 5"),
        ("", {"tokens": "word"}, "texts: expected 20 words and marks or more to train on, got 0"),
        (
            " ".join(map(str, range(40))),
            {"tokens": "word"},
            "texts: expected words and marks that occur twice or more, got none",
        ),
        (["a", None], {}, r"texts\[1\]: expected a text, got a missing value"),
        (TEXT, {"ngram": 0}, "ngram: expected an integer of at least 1, got 0"),
        (TEXT, {"ngram_dropout": 1}, "ngram_dropout: expected a number from 0 to below 1, got 1"),
        (TEXT, {"window": 1.5}, "window: expected an integer of at least 1, got 1.5"),
        (TEXT, {"tokens": "byte"}, "tokens: expected char or word, got 'byte'"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(texts, options, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        LanguageModel(**SMALL | options).fit(texts)
    with pytest.raises(InputError, match="texts: expected one character or more, got none"):
        LanguageModel(**SMALL | {"epochs": 1}).fit(TEXT).score("")


def test_windows_of_one_step_can_be_validated_on():
    model = LanguageModel(window=1, hidden_size=4, embedding_size=4, epochs=1).fit(TEXT[:200])
    assert model.metrics_["validation_bits_per_character"] > 0


def test_what_no_folder_could_say_is_refused_before_training():
    for options, message in (
        ({"ngram": 17}, "ngram: expected an integer of at most 16"),
        ({"layers": 1001}, "layers: "),
    ):
        with pytest.raises(InputError, match=message):
            LanguageModel(**options).fit(TEXT)


def test_a_prompt_may_begin_with_a_word_that_the_text_has_within_lines():
    model = LanguageModel(tokens="word", hidden_size=4, embedding_size=4, epochs=1).fit(
        "so the whale and the sea, " * 60
    )
    assert len(model.generate("whale", length=3, seed=1)) > 3
    with pytest.raises(InputError, match="expected words that the model knows, got 'ship'"):
        model.generate("ship", length=3)


def test_what_is_not_read_of_a_long_text_is_said(monkeypatch):
    monkeypatch.setattr("elman.tasks.language_model.LONGEST_EPOCH", 400)
    heard, notices = Observer(), []
    heard.notice = notices.append
    LanguageModel(window=10, hidden_size=4, embedding_size=4, epochs=1).fit(TEXT, observer=heard)
    assert notices[1] == "an epoch reads 400 at most: 1 read 81.3% of the text (epochs)"
