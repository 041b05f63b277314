"""Words of raw text: what UAX 29 says, what tokens want otherwise, and what older models keep."""

import json
import random
import unicodedata
from pathlib import Path

import pytest

import elman
from elman.runtime._language.tokens import split as language_tokens
from elman.runtime._tagger.words import split
from elman.runtime._vocabulary import tokenize
from elman.runtime._words.segmentation import lookup, segments

MODELS = Path(__file__).parents[1] / "models"

WORDS = {
    "Hindi": "हिन्दी की भाषा",
    "Bengali": "বাংলা ভাষা",
    "Tamil": "தமிழ் மொழி",
    "Arabic with vowels": "كَتَبَ الوَلَدُ",
    "Hebrew with points": "שָׁלוֹם עוֹלָם",
    "Hebrew abbreviations": "צה\"ל ג'",
    "Persian with a non-joiner": "می\u200cخواهم بروم",
    "Sinhala with a joiner": "ශ්\u200dරී ලංකා",
    "decomposed letters": unicodedata.normalize("NFD", "yếu café Ångström"),
    "decomposed Korean": unicodedata.normalize("NFD", "한국어 말"),
    "a dotted capital I": "İstanbul DİYARBAKIR",
    "a soft hyphen": "Donau\u00addampf",
    "emoji": "👍🏽 🇩🇪 ❤\ufe0f 👨\u200d👩\u200d👧 1\ufe0f\u20e3 🏴\U000e0067\U000e0062\U000e007f",
    "marks within": "don't don’t 3.14 R&B AT&T e-mail twenty-one 1,000 8:30 2024-01-31 v1.2 l·l snake_case",
    "initials": "U.S e.g p.m J.R.R",
    "web addresses": "https://example.com/a?b=1 https://de.wikipedia.org/wiki/Köln http://a.b/हिन्दी/c www.example.org",
    "names of people and topics": "me.you@example.co.uk @user #newparents #1",
}


@pytest.mark.parametrize("text", WORDS.values(), ids=WORDS)
def test_a_word_is_one_token_in_every_task(text):
    words = text.split()
    assert [token.text for token in split(text, "word")] == words
    assert tokenize(text, "word", 99)[0] == [lookup(word) for word in words]
    assert language_tokens(text, "word") == [words[0], *(f" {word}" for word in words[1:])]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Paris—and", "Paris — and"),
        ("Paris–Rome", "Paris – Rome"),
        ("word--word", "word - - word"),
        ("wait…what", "wait … what"),
        ('said:"Hi', 'said : " Hi'),
        ("Paris,Rome", "Paris , Rome"),
        ("end.Next", "end . Next"),
        ("the end.next", "the end . next"),
        ("Berlin/Paris", "Berlin / Paris"),
        ("iPhone，iPad", "iPhone ， iPad"),
        ("A、B：C。D．E", "A 、 B ： C 。 D．E"),
        ("Rock（band）", "Rock （ band ）"),
        ("a;b", "a ; b"),
        ("[x)y}", "[ x ) y }"),
        ("«Oui»«Non»", "« Oui » « Non »"),
        ("'quoted' ‘so’", "' quoted ' ‘ so ’"),
        ("J.R.R.Tolkien, U.S.", "J.R.R . Tolkien , U.S ."),
        ("(see http://t.co/a).", "( see http://t.co/a ) ."),
        ("C++ $5.00 50%", "C + + $ 5.00 50 %"),
        ("我爱nlp，コンピュータ人々", "我 爱 nlp ， コ ン ピ ュ ー タ 人 々"),
        ("ที่ตลาด", "ที่ ต ล า ด"),
        ("🇩🇪🇫🇷👍👍🏽", "🇩🇪 🇫🇷 👍 👍🏽"),
    ],
)
def test_marks_between_words_are_tokens_of_their_own(text, tokens):
    assert [token.text for token in split(text, "word")] == tokens.split()
    assert tokenize(text, "word", 99)[0] == tokens.lower().split()


def test_what_is_not_seen_is_no_token_but_a_language_model_s():
    text = "\ufeffone\u200btwo \u200fשלום"
    assert [token.text for token in split(text, "word")] == ["one", "two", "שלום"]
    assert "".join(language_tokens(text, "word")) == text


def test_a_word_is_known_however_it_is_written():
    assert lookup("CAFE\u0301") == lookup("café") == "café"
    assert lookup("Donau\u00addampf") == "donaudampf"
    assert lookup("שלום\u200f") == lookup("\u2067שלום\u2069") == "שלום"
    assert lookup("می\u200cخواهم") == "می\u200cخواهم"
    assert lookup("\u00ad") == "\u00ad"
    assert lookup("İ\u0323") == unicodedata.normalize("NFC", "i\u0307\u0323")


def test_segments_are_those_of_another_implementation():
    wordbreak = pytest.importorskip("uniseg.wordbreak")
    # every class but those that tokens have otherwise: Katakana, hyphens, colons, full stops
    characters = (
        "aZé\u0301\u05d0\u05d101\u0663_'\"·,;\u2044\u00ad\u200d\u200c❤👍\U0001f3fd🇩🇪Ⓜ🅰いक\u094d\u093f漢!—\ufe0f"
    )
    generator = random.Random(0)
    for _ in range(2000):
        text = "".join(generator.choices(characters, k=generator.randint(1, 9)))
        assert [text[start:end] for start, end in segments(text)] == list(wordbreak.words(text)), ascii(text)


@pytest.mark.parametrize("text", ["ही" * 200_000, "a." * 200_000, "a-" * 200_000, "@a" * 100_000, "🇩" * 200_001])
def test_long_words_are_split_in_passing(text):
    assert "".join(language_tokens(text, "word")) == text


def test_older_models_keep_their_words():
    tagger = elman.load(MODELS / "sequence_tagger_1")
    assert [token.text for token in tagger.split("की Paris—and")] == ["क", "ी", "Paris—and"]
    assert "segmentation" not in json.loads((MODELS / "sequence_tagger_1/config.json").read_text(encoding="utf-8"))
    assert tokenize("e-mail café", "older word", 9)[0] == ["e", "-", "mail", "café"]
    assert language_tokens("e-mail की", "older word") == ["e", "-", "mail", " क", "ी"]
