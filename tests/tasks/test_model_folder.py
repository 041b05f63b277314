import json
from pathlib import Path

import numpy as np
import pytest

from elman.tasks import InputError, TextClassifier
from tests.tasks.lines import LABELS, TEXTS


@pytest.fixture(scope="module")
def classifier():
    texts = [*TEXTS, "a b\tc\nd\\e\u2028f"]
    return TextClassifier(hidden_size=8, embedding_size=8, epochs=2).fit(texts, [*LABELS, "别"])


@pytest.fixture
def folder(classifier, tmp_path):
    classifier.save(tmp_path / "model")
    return tmp_path / "model"


def test_a_loaded_model_predicts_the_same_bits(classifier, folder):
    loaded = TextClassifier.load(folder)
    assert (loaded.predict_proba(TEXTS) == classifier.predict_proba(TEXTS)).all()
    assert loaded.get_params() == classifier.get_params()
    assert loaded.vocabulary_.tokens == classifier.vocabulary_.tokens
    assert loaded.metrics_ == classifier.metrics_
    assert [r.scores for r in loaded.history_] == [r.scores for r in classifier.history_]


def test_the_folder_holds_what_it_promises_and_no_pickle(folder):
    names = {"config.json", "model.safetensors", "vocabulary.txt", "metrics.json", "history.csv"}
    assert {path.name for path in folder.iterdir()} == names
    config = json.loads((folder / "config.json").read_text())
    assert (config["format"], config["version"]) == ("elman text classifier", 1)
    assert config["network"]["hidden_size"] == 8
    assert not any(b"\x80\x02" in path.read_bytes()[:8] for path in folder.iterdir())


def ngram_rows_summed(numbers, longest, table):
    """The rows of the n-grams of 2 to ``longest`` tokens, hashed from their last token backwards, in plain integers."""
    total, wrap = np.zeros(table.shape[1]), (1 << 64) - 1
    for end in range(len(numbers)):
        code = 0
        for back in range(longest):
            code = (code + (numbers[end - back] if back <= end else 0) + 1) & wrap
            code = ((code ^ code >> 29) * 0x9E3779B97F4A7C15) & wrap
            if back:
                total += table[(code >> 33) % len(table)]
    return total


def test_the_network_can_be_computed_from_the_folder_without_torch(classifier, folder):
    from safetensors.numpy import load_file

    p = load_file(folder / "model.safetensors")
    tokens = (folder / "vocabulary.txt").read_text(encoding="utf-8").split("\n")
    text = "学而时习之"
    numbers = [2, *(tokens.index(c) if c in tokens else 1 for c in text), 3]
    x = p["embedding.weight"][numbers]
    pooled = []
    for direction, steps in (("", x), ("_reverse", x[::-1])):
        h, states = np.zeros(8, dtype=np.float32), []
        for x_t in steps:
            names = [f"rnn.{kind}_l0{direction}" for kind in ("weight_ih", "bias_ih", "weight_hh", "bias_hh")]
            w_ih, b_ih, w_hh, b_hh = (p[name] for name in names)
            h = np.tanh(w_ih @ x_t + b_ih + w_hh @ h + b_hh)
            states.append(h)
        pooled.append([np.max(states, axis=0), np.mean(states, axis=0), h])
    scores = (
        p["output.weight"] @ np.concatenate([half for pair in zip(*pooled, strict=True) for half in pair])
        + p["output.bias"]
    )
    longest = json.loads((folder / "config.json").read_text())["network"]["ngram"]
    scores += ngram_rows_summed(numbers, longest, p["ngrams.weight"]) / np.sqrt(len(numbers))
    expected = np.exp(scores) / np.exp(scores).sum()
    assert np.allclose(classifier.predict_proba([text])[0], expected, atol=1e-5)


def test_a_model_is_not_overwritten_unasked(classifier, folder):
    with pytest.raises(InputError, match="holds a model already; choose another name or add overwrite=True"):
        classifier.save(folder)
    classifier.save(folder, overwrite=True)


def test_other_files_are_never_lost(classifier, folder, tmp_path):
    (folder / "notes.txt").write_text("mine")
    classifier.save(folder, overwrite=True)
    assert (folder / "notes.txt").read_text() == "mine"
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "config.json").write_text("{}")
    (foreign / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="expected a new or empty folder, got one with other files"):
        classifier.save(foreign, overwrite=True)
    (foreign / "model.safetensors").write_text("another program's")
    with pytest.raises(InputError, match=r"config\.json: expected the format 'elman text classifier', got None"):
        classifier.save(foreign, overwrite=True)
    assert (foreign / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize(("option", "value"), [("dropout", "much"), ("engine", ["elman"]), ("seed", -1)])
def test_options_that_cannot_be_are_refused(folder, option, value):
    config = json.loads((folder / "config.json").read_text())
    config["options"][option] = value
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError) as caught:
        TextClassifier.load(folder)
    assert type(caught.value) is InputError
    assert str(caught.value).startswith(f"{folder / 'config.json'}: expected sound options, got {option}: expected ")


def test_version_1_says_what_it_said():
    models = Path(__file__).parents[1] / "models"
    expected = json.loads((models / "version_1.json").read_text(encoding="utf-8"))
    probabilities = TextClassifier.load(models / "version_1").predict_proba(expected["texts"])
    assert np.allclose(probabilities, expected["probabilities"], atol=1e-6)
