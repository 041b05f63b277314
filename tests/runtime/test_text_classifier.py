"""A trained text classifier without PyTorch: the bits of training, alone, in any batch, and piece by piece."""

import copy
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import elman
from elman import InputError
from elman._cells import FAMILIES
from elman.runtime._classifiers.base import READING_BATCH
from elman.runtime._classifiers.text_settings import Text, TextSettings, TextSizes
from elman.runtime._ngrams import ngram_rows
from elman.runtime._vocabulary import PADDING, SPECIAL_TOKENS, Vocabulary
from elman.runtime._words import NEWEST
from tests.runtime.networks import recurrent_parameters

ROOT = Path(__file__).parents[1]
ALPHABET = "abcdé’ 我爱你\u0301"


def classifier(*, cell="rnn", bidirectional=True, tokens="char", layers=1, ngram=3, max_length=20, seed=0):
    vocabulary = Vocabulary(["a", "b", "c", "我", "爱", "é", "ab", "abc", "b’a"])
    sizes = {"embedding_size": 5, "hidden_size": 8, "layers": layers, "ngram": ngram, "ngram_rows": 7}
    network = TextSizes(cell=cell, bidirectional=bidirectional, **sizes)
    generator, features = np.random.default_rng(seed), 24 * (1 + bidirectional)
    tensors = {
        "embedding.weight": generator.standard_normal((len(vocabulary), 5)).astype("f"),
        "ngrams.weight": generator.standard_normal((7, 3)).astype("f"),
        **recurrent_parameters(network, 5, seed),
        "output.weight": generator.standard_normal((3, features)).astype("f"),
        "output.bias": generator.standard_normal(3).astype("f"),
    }
    read = TextSettings(["x", "y", "z"], Text(tokens, max_length, {}, NEWEST), network)
    return elman.runtime.TextClassifier(read, tensors, {"vocabulary": vocabulary})


texts = st.text(ALPHABET, max_size=30)


@settings(max_examples=40)
@given(
    st.lists(texts, min_size=1, max_size=2 * READING_BATCH + 3), st.sampled_from([*FAMILIES]), st.booleans(),
    st.integers(1, 2), st.integers(1, 4),
)  # fmt: skip
def test_a_text_has_the_same_bits_alone_and_in_any_batch(given_texts, cell, bidirectional, layers, ngram):
    model = classifier(cell=cell, bidirectional=bidirectional, layers=layers, ngram=ngram)
    together = model.predict_proba(given_texts)
    assert together.dtype == np.float32
    for text, row in list(zip(given_texts, together, strict=True))[:10]:
        assert (model.predict_proba([text])[0] == row).all()
    assert (model.predict(given_texts) == model.classes[together.argmax(1)]).all()
    assert model.predict_proba([]).shape == (0, 3)


@settings(max_examples=40)
@given(
    st.lists(st.text(ALPHABET, max_size=6), max_size=8),
    st.sampled_from([*FAMILIES]),
    st.sampled_from(["char", "word"]),
    st.integers(1, 4),
)
def test_a_text_read_piece_by_piece_has_the_same_bits(pieces, cell, tokens, ngram):
    model = classifier(cell=cell, bidirectional=False, layers=2, tokens=tokens, ngram=ngram, max_length=12)
    stream, text = model.stream(), ""
    for piece in pieces:
        text += piece
        assert (stream.step(piece) == model.predict_proba([text])[0]).all(), (text, piece)
        assert stream.text == text
    stream.reset()
    assert (stream.step("ab") == model.predict_proba(["ab"])[0]).all()


def test_n_grams_add_what_their_rows_say():
    with_ngrams, without = classifier(ngram=3), classifier(ngram=1)
    assert "ngrams.weight" not in without.tensors()
    table, encoded = with_ngrams.tensors()["ngrams.weight"], with_ngrams.encode("abba")
    rows = ngram_rows(np.array([PADDING, PADDING, *encoded]), 3, 7)
    added = with_ngrams.scores([encoded]) - without.scores([encoded])
    np.testing.assert_allclose(added[0], table[rows].sum((0, 1)) / np.sqrt(len(encoded)), atol=1e-5)


@pytest.mark.parametrize("cell", FAMILIES)
def test_a_copied_stream_goes_its_own_way(cell):
    model = classifier(cell=cell, bidirectional=False)
    stream = model.stream()
    stream.step("ab")
    for twin in (stream.copy(), copy.copy(stream)):
        assert (twin.step("c") == model.predict_proba(["abc"])[0]).all()
    assert (stream.step("a") == model.predict_proba(["aba"])[0]).all()


def test_tensors_of_another_dtype_are_refused():
    model = classifier()
    tensors = model.tensors() | {"output.bias": np.zeros(3)}
    with pytest.raises(InputError, match=r"output\.bias: expected float32, got float64"):
        elman.runtime.TextClassifier(model.settings, tensors, model.vocabularies)


def test_a_bidirectional_classifier_says_why_it_cannot_stream():
    with pytest.raises(InputError, match="expected a network in one direction, got a bidirectional one"):
        classifier().stream()


def test_what_version_1_wrote_predicts_what_it_did():
    model = elman.load(ROOT / "models/version_1")
    said = json.loads((ROOT / "models/version_1.json").read_text(encoding="utf-8"))
    assert model.classes.tolist() == ["别", "论语", "诗经"]
    assert model.columns == {"text": "line", "label": "book"}
    np.testing.assert_allclose(model.predict_proba(said["texts"]), said["probabilities"], atol=1e-6)


def test_it_is_pickled_and_described():
    model = classifier()
    twin = pickle.loads(pickle.dumps(model))
    assert (twin.predict_proba(["abc"]) == model.predict_proba(["abc"])).all()
    assert repr(twin) == "TextClassifier(3 classes, 13 tokens (char), RNN(5, 8, bidirectional=True, float32))"
    assert twin.vocabulary.tokens[:4] == SPECIAL_TOKENS


@pytest.mark.parametrize(
    ("given_texts", "message"),
    [
        ("abc", "texts: expected a sequence of texts, got one text"),
        (3, "texts: expected a sequence of texts, got int"),
        (["a", None], r"texts\[1\]: expected a text, got a missing value"),
        (["a", float("nan")], r"texts\[1\]: expected a text, got a missing value"),
        (["a", np.zeros(3)], r"texts\[1\]: expected a text, got ndarray"),
        ([b"a"], r"texts\[0\]: expected a text, got bytes"),
    ],
)
def test_what_is_no_text_is_refused(given_texts, message):
    with pytest.raises(InputError, match=message):
        classifier().predict(given_texts)
