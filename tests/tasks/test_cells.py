"""Models of every task with each cell: what a folder says of it, and that what was trained is what predicts."""

import json

import numpy as np
import pytest

import elman
from elman import InputError
from elman.runtime import GRU, LSTM, RNN
from elman.tasks import Forecaster, LanguageModel, SequenceClassifier, SequenceTagger, TextClassifier
from tests.tasks.lines import LABELS, TEXTS
from tests.tasks.sentences import SENTENCES, TAGS
from tests.tasks.waves import KINDS, SEQUENCES

LAYERS = {"rnn": RNN, "gru": GRU, "lstm": LSTM}
SERIES = np.sin(np.arange(120) / 2) + np.arange(120) % 5
SMALL = {"hidden_size": 4, "epochs": 1}
# Of each task: its estimator, what it is fitted to, and what a model says of it.
TASKS = {
    "texts": (TextClassifier(**SMALL, embedding_size=4), (TEXTS, LABELS), lambda model: model.predict_proba(TEXTS)),
    "sequences": (SequenceClassifier(**SMALL), (SEQUENCES, KINDS), lambda model: model.predict_proba(SEQUENCES)),
    "sentences": (
        SequenceTagger(**SMALL, embedding_size=4, character_size=3),
        (SENTENCES, TAGS),
        lambda model: np.concatenate(model.predict_proba(SENTENCES)),
    ),
    "language": (
        LanguageModel(**SMALL, embedding_size=4, window=8),
        ("\n".join(TEXTS),),
        lambda model: model.log_probabilities(TEXTS[0]),
    ),
    "series": (Forecaster(**SMALL, networks=1), (SERIES,), lambda model: model.forecast(30).values),
}


@pytest.mark.parametrize("cell", LAYERS)
@pytest.mark.parametrize("task", TASKS)
def test_a_folder_says_its_cell_and_comes_back_as_it_was(tmp_path, task, cell):
    estimator, data, said = TASKS[task]
    trained = estimator.set_params(cell=cell).fit(*data)
    trained.save(tmp_path / "model")
    config = json.loads((tmp_path / "model/config.json").read_text(encoding="utf-8"))
    network = config["layers" if task == "series" else "network"]
    assert network.get("cell") == (None if cell == "rnn" else cell)  # older folders of Elman's say nothing of it
    assert "nonlinearity" not in network
    loaded, without_training = type(estimator).load(tmp_path / "model"), elman.load(tmp_path / "model")
    assert loaded.get_params() == trained.get_params()
    rnn = without_training._networks[0][0] if task == "series" else without_training.rnn
    assert type(rnn) is LAYERS[cell]
    for model in (loaded.model_, without_training):
        np.testing.assert_array_equal(said(model), said(trained.model_))


def test_a_cell_of_no_name_is_refused():
    with pytest.raises(InputError, match=r"^cell: expected rnn, gru or lstm, got 'GRU'$"):
        TextClassifier(cell="GRU").fit(TEXTS, LABELS)
