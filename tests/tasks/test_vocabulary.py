import pytest
from hypothesis import given
from hypothesis import strategies as st

from elman._errors import InputError
from elman.runtime._vocabulary import SPECIAL_TOKENS, UNKNOWN, Vocabulary, choose_tokens, tokenize

tokens = st.text(min_size=1, max_size=5).filter(lambda token: token not in SPECIAL_TOKENS)


@given(st.lists(tokens, unique=True))
def test_any_token_survives_the_file(known):
    vocabulary = Vocabulary(known)
    text = vocabulary.lines().encode().decode()
    assert len(text.splitlines()) == len(vocabulary)
    assert Vocabulary.from_lines(text, "vocabulary.txt").tokens == vocabulary.tokens


def test_what_does_not_print_is_escaped():
    lines = Vocabulary(["\n", "\t", " ", "\\", "我", "\\u{20}"]).lines().splitlines()
    assert lines[4:] == ["\\u{a}", "\\u{9}", "\\u{20}", "\\\\", "我", "\\\\u{20}"]


def test_tokens_are_numbered_by_how_often_they_occur():
    vocabulary = Vocabulary.build([["b", "a", "b"], ["c", "a", "b"]], minimum_count=2)
    assert vocabulary.tokens[4:] == ("b", "a")
    assert vocabulary.encode(["a", "c"]) == [2, 5, UNKNOWN, 3]


@pytest.mark.parametrize("text", ["", "a\nb\n", "\n".join(SPECIAL_TOKENS) + "\na\na\n"])
def test_a_damaged_vocabulary_is_refused(text):
    with pytest.raises(InputError, match=r"^vocabulary\.txt"):
        Vocabulary.from_lines(text, "vocabulary.txt")


def test_words_are_split_with_chinese_by_characters():
    assert tokenize("Don't 我爱nlp!", "word", 9) == (["don't", "我", "爱", "nlp", "!"], False)


def test_characters_are_composed():
    assert tokenize("e\u0301a", "char", 2) == (["é", "a"], False)


@given(st.text(alphabet="a b我!", max_size=40), st.sampled_from(["char", "word"]), st.integers(1, 20))
def test_a_text_is_cut_to_its_first_tokens(text, kind, length):
    whole, _ = tokenize(text, kind, 1000)
    assert tokenize(text, kind, length) == (whole[:length], len(whole) > length)


@pytest.mark.parametrize("text", ["a" * 1_000_000, "a " * 500_000, "我" * 1_000_000])
@pytest.mark.parametrize("kind", ["char", "word"])
def test_a_million_characters_are_cut(text, kind):
    found, was_cut = tokenize(text, kind, 100)
    assert len(found) <= 100
    assert was_cut


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["我爱你", "手机很好, iphone"], "char"),
        (["Smith", "van der Berg", "Lesný"], "char"),
        (["the movie was good", "I did not like it"], "word"),
    ],
)
def test_tokens_are_chosen_from_the_texts(texts, kind):
    assert choose_tokens(texts) == kind


@pytest.mark.parametrize("line", [r"\u{110000}", r"\u{d800}", r"\x", "a\\\\\\", "\\"])
def test_escapes_that_are_none_are_refused(line):
    lines = Vocabulary(["a"]).lines() + f"{line}\n"
    with pytest.raises(InputError, match="v, line 6: expected"):
        Vocabulary.from_lines(lines, "v")


def test_half_a_surrogate_pair_is_no_token():
    assert Vocabulary.build([["a", "\ud800", "b\udfff"]], 1).tokens[4:] == ("a",)
