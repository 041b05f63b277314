"""A trained language model without PyTorch: the same bits whole and in pieces, honest figures, draws."""

import math
import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman import InputError
from elman._cells import FAMILIES
from elman.runtime._language.model import STEPS_AT_ONCE, LanguageModel
from elman.runtime._language.sampling import Sampling
from elman.runtime._language.settings import LanguageSettings, LanguageSizes
from elman.runtime._language.tokens import split, split_blocks
from elman.runtime._linear import log_softmax
from elman.runtime._ngrams import ngram_rows
from elman.runtime._vocabulary import SPECIAL_TOKENS, START, UNKNOWN, Vocabulary
from elman.runtime._words import NEWEST
from tests.runtime.networks import recurrent_parameters

ALPHABET = "abc 我\n’é\u0301\r"
KNOWN = {"char": ["a", "b", "c", " ", "我", "\n"], "word": ["a", " a", "\n", "b’a", " cab", "我", " 我", " "]}
texts = st.text(f"{ALPHABET}.-#@\u200d❤", max_size=30)
kinds = st.sampled_from(["char", "word"])
ngrams = st.sampled_from([1, 2, 4])


def language_model(tokens="char", ngram=3, layers=1, seed=0, known=None, cell="rnn"):
    vocabulary, generator = Vocabulary(known or KNOWN[tokens]), np.random.default_rng(seed)
    network = LanguageSizes(cell=cell, embedding_size=5, hidden_size=8, layers=layers, ngram=ngram, ngram_rows=11)
    read = LanguageSettings(tokens, network, segmentation=NEWEST)
    tensors = {
        name: generator.standard_normal(shape).astype("f")
        for name, shape in read.shapes({"vocabulary": len(vocabulary)}).items()
    }
    return LanguageModel(read, tensors | recurrent_parameters(network, 5, seed), {"vocabulary": vocabulary})


def cut(text, places):
    borders = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[a:b] for a, b in pairwise(borders)]


@given(text=texts, places=st.lists(st.integers(0, 99), max_size=5), tokens=st.sampled_from([*KNOWN, "older word"]))
def test_tokens_give_the_text_back_and_are_the_same_wherever_it_was_cut(text, places, tokens):
    whole = split(text, tokens)
    assert "".join(whole) == text
    assert [token for part in split_blocks(cut(text, places), tokens) for token in part] == whole


def test_words_take_the_space_before_them_along():
    assert split("Don’t go,  我们 go.\r\n", "word") == ["Don’t", " go", ",", " ", " 我", "们", " go", ".", "\r", "\n"]


@settings(max_examples=40, deadline=None)
@given(
    text=texts, places=st.lists(st.integers(0, 99), max_size=4), tokens=kinds, ngram=ngrams, layers=st.integers(1, 2),
    cell=st.sampled_from([*FAMILIES]),
)  # fmt: skip
def test_the_same_bits_whole_in_pieces_and_token_by_token(text, places, tokens, ngram, layers, cell):
    model = language_model(tokens, ngram, layers, cell=cell)
    whole, known = model.log_probabilities(text), split(text, tokens)
    assert whole.shape == (len(known), len(model.vocabulary))
    stream = model.stream()
    for row, token in zip(whole, known, strict=True):
        assert (log_softmax(stream.scores[None])[0] == row).all()
        stream.step(token)
    numbers, pieces = model.numbers(known), model.stream()
    for part in cut(list(numbers), places):
        pieces.read(np.array(part, dtype=np.int64))
    assert (pieces.scores == stream.scores).all()
    assert (pieces.step("") == stream.copy().step("")).all()


def test_a_text_is_read_as_after_the_end_of_a_line():
    model = language_model()
    lines = model.log_probabilities("\nab")
    stream = model.stream()
    stream._stream.reset()
    stream._context[:] = 0
    assert (
        log_softmax(stream.read(model.numbers("\nab")))
        == np.concatenate([model.log_probabilities("ab"), lines[3:], log_softmax(stream.scores[None])])
    ).all()
    assert language_model(known=["a"]).opening == START


@settings(max_examples=20, deadline=None)
@given(places=st.lists(st.integers(0, 5000), max_size=5), tokens=kinds)
def test_a_measure_is_the_sum_over_tokens_and_the_same_bits_wherever_the_text_was_cut(places, tokens):
    model = language_model(tokens)
    text = "".join(np.random.default_rng(1).choice(list(ALPHABET), 2 * STEPS_AT_ONCE + 77))
    measure, known = model.measure([text]), split(text, tokens)
    assert model.measure(cut(text, places)) == measure
    numbers = model.numbers(known)
    logarithms = model.log_probabilities(text)[np.arange(len(numbers)), numbers]
    strange = [token for token, number in zip(known, numbers, strict=True) if number == UNKNOWN]
    bits = -math.fsum(logarithms.tolist()) / math.log(2) + sum(map(model.spelling_bits, strange))
    assert measure.bits == pytest.approx(bits, rel=1e-12)
    assert (measure.tokens, measure.characters, measure.unknown) == (len(known), len(text), len(strange))
    assert model.bits_per_character(text) == measure.bits / len(text)
    assert measure.perplexity == pytest.approx(2 ** (-math.fsum(logarithms.tolist()) / math.log(2) / len(known)))


def test_an_unknown_token_costs_its_spelling():
    characters = language_model()
    assert characters.spelling_bits("x") == math.log2(0x110000 - 6)
    words = language_model("word")  # its words are made of a, b, c, ’, 我, space, newline
    assert words.spelling_bits("cb") == pytest.approx(3 * math.log2(9))
    assert words.spelling_bits("cx") == pytest.approx(3 * math.log2(9) + math.log2(0x110000 - 7))
    total = sum(math.exp(x) for x in characters.log_probabilities("a")[0].tolist())
    assert total == pytest.approx(1, abs=1e-6)


def test_lanes_read_what_one_reader_reads():
    model = language_model()
    text = "".join(np.random.default_rng(2).choice(list("abc \n"), 1500))
    numbers = model.numbers(text)
    stream = model.stream()
    stream._stream.reset()
    stream._context[:] = 0
    logarithms = log_softmax(stream.read(numbers))[np.arange(1499), numbers[1:]]
    assert model.lane_bits(numbers, 1) == pytest.approx(
        -math.fsum(logarithms.tolist()) / math.log(2) * 1500 / 1499, rel=1e-12
    )
    assert model.lane_bits(numbers, 7) == pytest.approx(model.lane_bits(numbers, 1), rel=0.05)


numbers = st.lists(st.integers(0, 9000), min_size=6, max_size=6)


@given(own=numbers, others=numbers, longest=st.integers(2, 6), rows=st.integers(1, 99))
def test_a_row_depends_on_its_n_gram_alone(own, others, longest, rows):
    found = ngram_rows(np.array(own), longest, rows)
    assert found.shape == (longest - 1, 7 - longest)
    assert ((found >= 0) & (found < rows)).all()
    for size in range(2, longest + 1):
        mixed = np.array(others[:-size] + own[-size:])
        assert ngram_rows(mixed, longest, rows)[size - 2, -1] == found[size - 2, -1]


def test_greedy_text_is_the_likeliest_token_each_time():
    model, text = language_model(seed=3), ""
    for drawn in model.generate("ab", 20, temperature=0):
        probabilities = model.stream().step("ab" + text)
        probabilities[: len(SPECIAL_TOKENS)] = 0
        assert drawn == model.vocabulary.tokens[probabilities.argmax()]
        text += drawn
    assert len(text) == 20


def test_the_same_seed_draws_the_same_text():
    model = language_model()
    first, again, other = ("".join(model.generate("a", 50, temperature=9, seed=seed)) for seed in (1, 1, 2))
    assert first == again != other
    assert set(first) <= set(KNOWN["char"])
    assert "".join(model.generate(length=0)) == ""
    assert "".join(model.generate("a", np.int64(50), temperature=np.float32(9), seed=np.uint8(1))) == first


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prompt": "aéxé"}, "prompt: expected characters that the model knows, got 'é', 'x'"),
        ({"prompt": 3}, "prompt: expected a string, got 3"),
        ({"length": -1}, "length: expected an integer of at least 0, got -1"),
        ({"temperature": math.nan}, "temperature: expected a number of at least 0, got nan"),
        ({"top_k": 0}, "top_k: expected an integer of at least 1, got 0"),
        ({"top_p": 1.5}, "top_p: expected a number above 0, at most 1, got 1.5"),
        ({"seed": True}, "seed: expected an integer of at least 0, got True"),
    ],
)
def test_what_cannot_be_generated_is_refused_at_once(options, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        language_model().generate(**options)


scores = st.lists(st.floats(-9, 9, width=32), min_size=1, max_size=12)


@given(scores, st.sampled_from([0.1, 0.8, 1.0, 3.0]), st.none() | st.integers(1, 14), st.none() | st.floats(0.05, 1))
def test_what_is_drawn_has_the_distribution_that_the_options_define(scores, temperature, top_k, top_p):
    probabilities = Sampling(temperature, top_k, top_p).probabilities(np.array(scores, "f"))
    weights = [math.exp((score - max(scores)) / temperature) for score in scores]
    weights = [weight / math.fsum(weights) for weight in weights]
    order = sorted(range(len(scores)), key=lambda place: (-probabilities[place], -weights[place], place))[:top_k]
    if top_p is not None:
        kept = 1
        while kept < len(order) and math.fsum(weights[place] for place in order[:kept]) < top_p - 1e-12:
            kept += 1
        order = order[:kept]
    total = math.fsum(weights[place] for place in order)
    expected = [weights[place] / total if place in order else 0 for place in range(len(scores))]
    if (
        len(order) < len(scores)
        and min(abs(weights[place] - weights[order[-1]]) for place in set(range(len(scores))) - set(order)) < 1e-9
    ):
        return  # which of equals is kept, the definition leaves open
    np.testing.assert_allclose(probabilities, expected, rtol=1e-9, atol=1e-12)


def test_draws_follow_the_distribution():
    sampling, generator = Sampling(), np.random.default_rng(0)
    scores = np.log(np.array([0.5, 0.2, 0.3, 1e-30], "f"))
    counts = np.bincount([sampling.draw(scores, generator) for _ in range(4000)], minlength=4) / 4000
    np.testing.assert_allclose(counts, [0.5, 0.2, 0.3, 0], atol=0.03)


def test_nothing_forbidden_is_ever_drawn():
    class Last:
        def random(self):
            return 1 - 2**-53

    assert Sampling().draw(np.array([0, 1, -np.inf, -np.inf], "f"), Last()) == 1
    with pytest.raises(InputError, match="scores: expected finite ones of the tokens to draw from, got nan at most"):
        Sampling().draw(np.array([0, math.nan], "f"), Last())
    assert Sampling(1e-300).draw(np.array([0, 1, -np.inf], "f"), Last()) == 1


def test_a_model_can_be_pickled_and_refuses_what_is_no_text():
    model = language_model(ngram=1)
    twin = pickle.loads(pickle.dumps(model))
    assert (twin.log_probabilities("abc") == model.log_probabilities("abc")).all()
    with pytest.raises(InputError, match="text: expected a string, got b'a'"):
        model.bits_per_character(b"a")
    with pytest.raises(InputError, match="text: expected one character or more, got none"):
        model.bits_per_character("")
    with pytest.raises(InputError, match="text: expected a string, got None"):
        model.stream().step(None)
