import errno
import json
import os

import numpy as np
import pytest

from elman._files import write_files
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


def refusal(folder):
    with pytest.raises(InputError) as caught:
        TextClassifier.load(folder)
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(str(folder), "model")


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


def test_the_network_can_be_computed_from_the_folder_without_torch(classifier, folder):
    from safetensors.numpy import load_file

    p = load_file(folder / "model.safetensors")
    tokens = (folder / "vocabulary.txt").read_text(encoding="utf-8").split("\n")
    text = "学而时习之"
    x = p["embedding.weight"][[2, *(tokens.index(c) if c in tokens else 1 for c in text), 3]]
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
    expected = np.exp(scores) / np.exp(scores).sum()
    assert np.allclose(classifier.predict_proba([text])[0], expected, atol=1e-5)


def test_a_model_is_not_overwritten_unasked(classifier, folder):
    with pytest.raises(InputError, match="holds a model already; choose another --out or add --overwrite"):
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
    with pytest.raises(InputError, match=r"config\.json: expected what elman wrote"):
        classifier.save(foreign, overwrite=True)
    assert (foreign / "thesis.txt").read_text() == "mine"


def test_a_folder_that_is_no_model_is_refused(tmp_path):
    assert refusal(tmp_path / "none") == "model: expected a model folder, got nothing of that name".replace(
        "model:", f"{tmp_path / 'none'}:"
    ).replace(str(tmp_path / "none"), "model")
    assert refusal(tmp_path) == "model: expected a model folder, got a folder without config.json"
    (tmp_path / "file").write_text("")
    assert refusal(tmp_path / "file") == "model: expected a model folder, got a file"


DAMAGE = {
    "version": ("config.json", lambda text: text.replace('"version": 1', '"version": 2'), "expected version 1, got"),
    "format": ("config.json", lambda text: text.replace("text classifier", "tagger"), "expected the format"),
    "no json": ("config.json", lambda text: text[:50], "expected what elman wrote, got"),
    "type": ("config.json", lambda text: text.replace('"hidden_size": 8', '"hidden_size": "8"'), "expected what"),
    "size": ("config.json", lambda text: text.replace('"hidden_size": 8', '"hidden_size": 999999'), "weight_hh_l0"),
    "layers": ("config.json", lambda text: text.replace('"layers": 1', '"layers": 900'), "rnn.bias_hh_l899"),
    "classes": ("config.json", lambda text: text.replace('"论语",', ""), "output.bias"),
    "pooling": ("config.json", lambda text: text.replace("max mean", "max"), "pooling"),
    "tokens": ("vocabulary.txt", lambda text: text + "又\n", "embedding.weight: expected the shape"),
    "history": ("history.csv", lambda text: text.replace("1,", "x,"), "expected the figures of each epoch"),
    "tensors": ("model.safetensors", lambda text: "no", "expected the parameters of its network"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_model_is_refused(folder, name):
    file, damage, message = DAMAGE[name]
    path = folder / file
    path.write_text(damage(path.read_text(encoding="utf-8", errors="replace")), encoding="utf-8")
    refused = refusal(folder)
    assert refused.startswith("model/")
    assert message in refused


def test_every_file_must_be_there(folder):
    (folder / "vocabulary.txt").unlink()
    assert refusal(folder) == "model/vocabulary.txt: expected a readable file, No such file or directory"


def test_files_are_written_wholly_or_not_at_all(tmp_path, monkeypatch):
    write_files(tmp_path, {"a": b"old", "b": b"old"})

    def full(descriptor, calls=[]):  # noqa: B006
        calls.append(descriptor)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="expected a place that can be written, the disk is full"):
        write_files(tmp_path, {"a": b"new", "b": b"new"})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"old", "b": b"old"}
