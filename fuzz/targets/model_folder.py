"""Model folders: edits of one or several of the five files of sound models, then loading and predicting."""

import functools
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

import elman
from elman._cells import FAMILIES
from elman._safetensors import tensor_bytes
from elman.runtime._classifiers.text import TextClassifier
from elman.runtime._classifiers.text_stream import TextStream
from elman.runtime._model_folder import Model, read_model, write_model
from fuzz.choices import Choices
from fuzz.edits import edit_bytes, edit_json, edit_tensors
from fuzz.rule import REFUSED, attempt

VERSION_1 = Path(__file__).parents[2] / "tests" / "models" / "version_1"
FILES = ("config.json", "model.safetensors", "vocabulary.txt", "metrics.json", "history.csv")
EDITS = {"config.json": edit_json, "metrics.json": edit_json, "model.safetensors": edit_tensors}
TEXTS = ["", "子曰", "a", "我爱你 Straße e\u0301", "\0\n\ud800", "x " * 40]


def resized(
    model: Model, cell: str, embedding_size: int, hidden_size: int, layers: int, bidirectional: bool, word: bool
) -> Model:
    """A model of another cell and other sizes, its weights made of sines."""
    network = replace(
        model.settings.network,
        cell=cell,
        embedding_size=embedding_size,
        hidden_size=hidden_size,
        layers=layers,
        bidirectional=bidirectional,
    )
    text = replace(model.settings.text, tokens="word" if word else "char")
    settings = replace(model.settings, network=network, text=text)
    shapes = settings.shapes({"vocabulary": len(model.vocabularies["vocabulary"])})
    tensors = {name: np.sin(np.arange(1, np.prod(s) + 1, dtype="f") ** 2).reshape(s) for name, s in shapes.items()}
    return replace(model, settings=settings, tensors=tensors)


@functools.cache
def base(*sizes: int) -> dict[str, bytes]:
    """The files of a model of version 1, or of one with another cell and other sizes."""
    if not sizes:
        return {name: (VERSION_1 / name).read_bytes() for name in FILES}
    embedding_size, hidden_size, layers, bidirectional, word = sizes
    cell = tuple(FAMILIES)[layers // 2]
    layers, of_words = 1 + layers % 2, bool(word)
    model = resized(read_model(VERSION_1), cell, embedding_size, hidden_size, layers, bool(bidirectional), of_words)
    with tempfile.TemporaryDirectory() as folder:
        write_model(Path(folder), model)
        return {name: Path(folder, name).read_bytes() for name in FILES}


@functools.cache
def place() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="fuzz-model-")


@functools.cache
def written() -> dict[str, bytes]:
    """What lies there."""
    return {}


def run(data: bytes) -> None:
    choices = Choices(data)
    sizes = (1 + choices.number(8), 1 + choices.number(9), choices.number(6), choices.number(2), choices.number(2))
    files = dict(base(*sizes) if choices.chance() else base())
    while choices:
        name = choices.pick(FILES)
        files[name] = EDITS.get(name, edit_bytes)(files[name], choices)
    folder = Path(place().name)
    for name, content in files.items():
        if written().get(name) != content:
            (folder / name).write_bytes(content)
    written().update(files)
    attempt(read_model, folder)
    model = attempt(elman.load, folder)
    if model is not REFUSED:
        use(model, json.loads(files["config.json"])["classes"])


def use(model: TextClassifier, classes: list[object]) -> None:
    """Predict, alone and together and piece by piece."""
    assert list(map(repr, model.classes.tolist())) == list(map(repr, classes)), "other classes than the file's"
    together = model.predict_proba(TEXTS)
    assert together.shape == (len(TEXTS), len(model.classes))
    assert all(abs(row.sum() - 1) < 1e-3 or np.isnan(row).any() for row in together), "no probabilities"
    for text, row in zip(TEXTS, together, strict=True):
        assert np.array_equal(model.predict_proba([text])[0], row, equal_nan=True), "other bits alone"
    stream = attempt(model.stream)
    assert (stream is REFUSED) == model.rnn.bidirectional
    if stream is REFUSED:
        return
    assert isinstance(stream, TextStream)
    for text, row in zip(TEXTS, together, strict=True):
        stream.reset()
        for piece in (text[:2], text[2:]):
            last = stream.step(piece)
        assert np.array_equal(last, row, equal_nan=True), "other bits piece by piece"


def seeds() -> dict[str, bytes]:
    prefix, other = bytes(6), bytes([3, 4, 1, 0, 1, 1])  # version 1's files; embedding 4, hidden 5, two layers, words
    whole = {name: bytes([number]) for number, name in enumerate(FILES)}
    return {
        "sound": prefix,
        "sound_words_one_direction": other,
        "sound_gru": bytes([3, 4, 2, 0, 1, 1]),
        "sound_lstm": bytes([3, 4, 5, 1, 0, 1]),
        "vocabulary_whole": prefix + whole["vocabulary.txt"] + bytes(2) + b"\x06" + base()["vocabulary.txt"],
        "history_whole": prefix + whole["history.csv"] + bytes(1) + b"\x06" + base()["history.csv"],
        "tensors_cut": prefix + whole["model.safetensors"] + bytes([3, 100, 4, 4]),
        "config_edited": prefix + whole["config.json"] + bytes([2, 0, 0, 0, 2]),
        "metrics_edited": other + whole["metrics.json"] + bytes([1, 0, 0, 1, 20]),
        "tensors_of_another": other
        + whole["model.safetensors"]
        + bytes([3, 0, 0, 6])
        + tensor_bytes({"a": np.ones(1, "f")}),
    }
