"""A trained sequence tagger without PyTorch: well-formed tags, the same bits alone and in any batch."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman import InputError
from elman._cells import FAMILIES
from elman.runtime._ngrams import rows_around
from elman.runtime._tagger.sentences import LONGEST_SPELLING
from elman.runtime._tagger.settings import TaggerSettings, TaggerSizes
from elman.runtime._tagger.tagger import SequenceTagger
from elman.runtime._tagger.tags import first_fault, marked
from elman.runtime._tagger.words import joined, split
from elman.runtime._vocabulary import PADDING, UNKNOWN, Vocabulary
from elman.runtime._words import NEWEST
from tests.runtime.refusals import refusal

SCHEMES = {
    "BIO": ["B-a", "B-b", "I-a", "I-b", "O"],
    "BIOES": ["B-a", "E-a", "I-a", "O", "S-a"],
    "plain": ["NOUN", "O", "VERB"],
}
NEVER_SEEN = "Überraschung"


def tagger(
    scheme="BIO", *, cell="rnn", character_size=3, layers=1, bidirectional=True, ngram=2, seed=0, transitions=True
):
    others = {
        "cell": cell,
        "hidden_size": 8,
        "layers": layers,
        "bidirectional": bidirectional,
        "ngram": ngram,
        "ngram_rows": 7,
    }
    network = TaggerSizes(embedding_size=5, character_size=character_size, **others)
    read = TaggerSettings(SCHEMES[scheme], scheme, "word", {}, network, NEWEST, transitions)
    vocabularies = {"words": Vocabulary(["to", "rome", "我", "é"]), "characters": Vocabulary("tromeR我")}
    generator = np.random.default_rng(seed)
    shapes = read.shapes({name: len(vocabulary) for name, vocabulary in vocabularies.items()})
    tensors = {name: generator.standard_normal(shape).astype("f") for name, shape in shapes.items()}
    return SequenceTagger(read, tensors, vocabularies)


words = st.one_of(st.sampled_from(["to", "Rome", "rome", "我", NEVER_SEEN, "e\u0301", ""]), st.text(max_size=5))
sentences = st.lists(words, max_size=12)


@settings(max_examples=40)
@given(
    st.lists(sentences, max_size=9), st.sampled_from([*FAMILIES]), st.sampled_from([0, 3]), st.integers(1, 2),
    st.booleans(), st.integers(1, 3),
)  # fmt: skip
def test_a_sentence_has_the_same_bits_alone_and_in_any_batch(
    given_sentences, cell, character_size, layers, bidirectional, ngram
):
    model = tagger(cell=cell, character_size=character_size, layers=layers, bidirectional=bidirectional, ngram=ngram)
    together = model.predict_proba(given_sentences)
    tags = model.predict(given_sentences)
    assert [rows.shape for rows in together] == [(len(sentence), 5) for sentence in given_sentences]
    for sentence, rows, of_sentence in zip(given_sentences, together, tags, strict=True):
        assert rows.dtype == np.float32
        assert (model.predict_proba([sentence])[0] == rows).all()
        assert model.predict([sentence]) == [of_sentence]


@settings(max_examples=60)
@given(st.lists(sentences, max_size=4), st.sampled_from(sorted(SCHEMES)), st.integers(0, 99))
def test_tags_are_well_formed_whatever_the_network_says(given_sentences, scheme, seed):
    model = tagger(scheme, seed=seed)
    for tags in model.predict(given_sentences):
        assert first_fault(tags, scheme) is None
    assert model.spans(given_sentences) == [marked(tags, scheme) for tags in model.predict(given_sentences)]


def test_n_grams_add_what_the_rows_of_a_word_and_its_neighbours_say():
    sentence, tensors = ["to", "Rome", NEVER_SEEN], tagger(ngram=3).tensors()
    model, without = tagger(ngram=3), tagger(ngram=1)
    without = SequenceTagger(without.settings, tensors, without.vocabularies)
    assert "ngrams.weight" not in without.tensors()
    numbers = [PADDING, PADDING, 4, 5, UNKNOWN, PADDING, PADDING]
    added = model.scores(model.encode([sentence])) - without.scores(without.encode([sentence]))
    for place in range(3):
        rows = rows_around(np.array([numbers[place : place + 5]]), 3, 7)
        assert rows.shape == (4, 1)
        np.testing.assert_allclose(added[place], tensors["ngrams.weight"][rows[:, 0]].sum(0), atol=1e-5)


def test_n_grams_that_end_with_a_word_have_other_rows_than_those_that_begin_with_it():
    before, after = rows_around(np.array([[5, 5, 5]]), 2, 1 << 30)
    assert before != after
    whole, part = rows_around(np.array([[7, 4, 5, 6, 8]]), 3, 1 << 30), rows_around(np.array([[4, 5, 6]]), 2, 1 << 30)
    assert (whole[[0, 2]] == part).all()


@pytest.mark.parametrize("ngram", [1, 3])
def test_in_one_direction_nothing_that_follows_matters(ngram):
    model, sentence = tagger(bidirectional=False, ngram=ngram), ["to", "Rome", "我", NEVER_SEEN]
    whole = model.predict_proba([sentence])[0]
    for end in range(1, 4):
        assert (model.predict_proba([sentence[:end]])[0] == whole[:end]).all()


def test_a_tag_is_chosen_by_what_it_follows_too():
    model, sentence = tagger("plain"), ["to", "Rome", NEVER_SEEN]
    tensors = {**model.tensors(), "transitions": np.full((4, 4), -99, np.float32)}
    for pair in ((3, 2), (2, 0), (0, 1), (1, 3)):  # the start, VERB, NOUN, O, the end
        tensors["transitions"][pair] = 0
    led = SequenceTagger(model.settings, tensors, model.vocabularies)
    assert led.predict([sentence]) == [["VERB", "NOUN", "O"]]
    assert (led.predict_proba([sentence])[0] == model.predict_proba([sentence])[0]).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_whatever_transitions_a_damaged_file_holds_tags_are_well_formed(value):
    model = tagger()
    tensors = {**model.tensors(), "transitions": np.full((6, 6), value, np.float32)}
    for tags in SequenceTagger(model.settings, tensors, model.vocabularies).predict([["to", "Rome", "to"], ["我"]]):
        assert first_fault(tags, "BIO") is None


def test_the_logarithms_are_those_of_the_tags_chosen():
    model, sentence = tagger("plain", transitions=False), ["to", "Rome", NEVER_SEEN]
    [tagged], [rows] = model.tag([sentence]), model.predict_proba([sentence])
    assert tagged.tags == [model.tags[number] for number in rows.argmax(1)]
    assert np.allclose(np.exp(tagged.logarithms), rows.max(1))


def test_letters_and_their_case_count_in_words_never_seen():
    model = tagger()
    rows = [model.predict_proba([[word]])[0] for word in ("Rom", "rom", "Mor")]
    assert not (rows[0] == rows[1]).all()
    assert not (rows[0] == rows[2]).all()
    without = tagger(character_size=0)
    assert (without.predict_proba([["Rom"]])[0] == without.predict_proba([["Mor"]])[0]).all()


def test_long_sentences_and_long_words():
    model = tagger()
    sentence = ["to", "Rome", "o" * 10 * LONGEST_SPELLING, "我"] * 2500
    [tags] = model.predict([sentence])
    assert len(tags) == 10_000
    assert first_fault(tags, "BIO") is None


def test_pickled_and_shown():
    model = tagger(layers=2)
    twin = pickle.loads(pickle.dumps(model))
    assert (twin.predict_proba([["to", "我"]])[0] == model.predict_proba([["to", "我"]])[0]).all()
    assert repr(twin) == "SequenceTagger(5 tags (BIO), 8 words, RNN(11, 8, num_layers=2, bidirectional=True, float32))"
    assert repr(tagger("plain")).startswith("SequenceTagger(3 tags, ")


@pytest.mark.parametrize(
    ("given_sentences", "message"),
    [
        ("to Rome", "sentences: expected a sequence of sequences of strings, got one text"),
        (["to Rome"], "sentences[0]: expected a sequence of strings, got one text"),
        (3, "sentences: expected a sequence of sequences of strings, got int"),
        ([["to"], None], "sentences[1]: expected a sequence of strings, got NoneType"),
        ([["to", 3]], "sentences[0][1]: expected a string, got int"),
    ],
)
def test_what_are_no_sentences_is_refused(given_sentences, message):
    assert refusal(tagger().predict, given_sentences) == message


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"scheme": "BIOES"}, "config.json: expected tags of BIOES, got 'X-a'"),
        ({"tags": ["B-a", "I-a"]}, "config.json: expected the tag O among those of BIO, got none"),
        ({"tags": ["O"]}, "config.json: expected two classes or more, all different and of one type, got ['O']"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(changed, message):
    values = {"tags": ["X-a", "O"], "scheme": "BIO", "tokens": "word", "columns": {}, "network": None, **changed}
    assert refusal(TaggerSettings(**values).check, "config.json") == message


def test_a_tensor_of_another_shape_is_refused():
    model = tagger()
    tensors = {**model.tensors(), "output.bias": np.zeros(2, np.float32)}
    with pytest.raises(InputError, match=r"output.bias: expected the shape \(5,\), got \(2,\)"):
        SequenceTagger(model.settings, tensors, model.vocabularies)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Fly to Rome, now!", ["Fly", "to", "Rome", ",", "now", "!"]),
        ("I'm (R&B) 8:30 twenty-one...", ["I'm", "(", "R&B", ")", "8:30", "twenty-one", ".", ".", "."]),
        ("在 Rome城，e\u0301tat", ["在", "Rome", "城", "，", "e\u0301tat"]),
        ("", []),
    ],
)
def test_texts_are_split_into_words_and_marks(text, tokens):
    found = split(text, "word")
    assert [token.text for token in found] == tokens
    assert all(text[start:end] == token for token, start, end in found)


@given(st.text(max_size=40), st.sampled_from(["char", "word"]))
def test_a_split_loses_nothing_but_spaces(text, tokens):
    found = split(text, tokens)
    assert "".join(token.text for token in found) == "".join(text.split())
    assert all(text[start:end] == token for token, start, end in found)


@given(st.lists(st.text(min_size=1, max_size=4), max_size=5), st.sampled_from(["char", "word"]))
def test_joined_tokens_stand_where_they_say(given_words, tokens):
    text, places = joined(given_words, tokens)
    assert [text[start:end] for _, start, end in places] == [token.text for token in places] == given_words


def test_prediction_needs_no_torch(tmp_path):
    path = tmp_path / "model.pickle"
    path.write_bytes(pickle.dumps(tagger()))
    code = (
        "import pickle, sys; model = pickle.loads(open(sys.argv[1], 'rb').read());"
        "print(model.predict([['to', 'Rome']])); assert not {'torch', 'sklearn', 'rich'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, capture_output=True)
