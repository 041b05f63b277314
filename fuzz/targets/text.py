"""Texts of any characters: tokens, the vocabulary's file, and a text read piece by piece."""

import functools

import numpy as np

from elman.runtime._classifiers.text import TextClassifier
from elman.runtime._classifiers.text_settings import Text, TextSettings, TextSizes
from elman.runtime._classifiers.text_stream import TextStream
from elman.runtime._vocabulary import SPECIAL_TOKENS, Vocabulary, choose_tokens, tokenize
from elman.runtime._words import NEWEST
from fuzz.choices import Choices
from fuzz.rule import REFUSED, attempt

TOKENS = [
    "a",
    "b",
    "e",
    "é",
    "我",
    "爱",
    "ab",
    "b’a",
    "\u0301",
    " ",
    "\n",
    "\0",
    "ſ",
    "ss",
    "가",
    "ᄀ",
    "\ud800",
    "\U0001f600",
]
FRAGMENTS = (
    "a", "b", " ", "e\u0301", "\u0301", "’", "'", "我", "爱", "\n", "\0", "ß", "İ", "ﬁ", "ᄀ", "\u1161", "\u11a8", "가",
    "\u200d", "\ufeff", "\u2028", "\ud83d", "\ude00", "\U0001f600", "\u0327", "ऄ", "\u0e33", "ͅ", "Σ", "\u1e9b\u0323",
    "x" * 45, "-", "_", "1", ".", "<unknown>", "\u0340", "\u0344", "\uf900", "\U0002f800",
)  # fmt: skip


@functools.cache
def model(word: bool, max_length: int) -> TextClassifier:
    vocabulary = Vocabulary(TOKENS)
    shapes = {
        "embedding.weight": (len(vocabulary), 3),
        "rnn.weight_ih_l0": (4, 3),
        "rnn.weight_hh_l0": (4, 4),
        "rnn.bias_ih_l0": (4,),
        "rnn.bias_hh_l0": (4,),
        "output.weight": (2, 12),
        "output.bias": (2,),
    }
    tensors = {name: np.sin(np.arange(1, np.prod(s) + 1, dtype="f") ** 2).reshape(s) for name, s in shapes.items()}
    text = Text("word" if word else "char", max_length, {}, NEWEST)
    network = TextSizes(embedding_size=3, hidden_size=4, layers=1, bidirectional=False)
    settings = TextSettings(["x", "y"], text, network)
    return TextClassifier(settings, tensors, {"vocabulary": vocabulary})


def some_text(choices: Choices) -> str:
    parts = []
    for _ in range(choices.number(12)):
        if choices.chance(3):
            parts.append(choices.text(12))
        elif choices.chance(4):
            parts.append(chr(choices.number(0x110000)))
        else:
            parts.append(choices.pick(FRAGMENTS))
    return "".join(parts)


def run(data: bytes) -> None:
    choices = Choices(data)
    word, max_length = choices.chance(), choices.pick((100, 1, 2, 5, 2**31))
    pieces = [some_text(choices) for _ in range(1 + choices.number(6))]
    text = "".join(pieces)
    tokens, cut = tokenize(text, "word" if word else "char", max_length)
    assert len(tokens) <= max_length
    assert cut or tokenize(text, "word" if word else "char", 2**31)[0] == tokens, "cut, and said that it is not"
    assert choose_tokens([text, *pieces]) in ("word", "char")
    written_and_read(tokens)
    if choices.chance():
        attempt(Vocabulary.from_lines, "".join(f"{token}\n" for token in SPECIAL_TOKENS) + text, "file")
    piece_by_piece(model(word, max_length), pieces)
    for other in (None, 3, b"a", 0.5, ["a"], [None], [b"a", 1]):
        attempt(model(word, max_length).predict_proba, other)


def written_and_read(tokens: list[str]) -> None:
    """The vocabulary's file holds any tokens that a vocabulary is made of."""
    made = Vocabulary.build([[token for token in tokens if token not in SPECIAL_TOKENS]], minimum_count=1)
    lines = made.lines()
    lines.encode()
    assert Vocabulary.from_lines(lines, "file").tokens == made.tokens


def piece_by_piece(classifier: TextClassifier, pieces: list[str]) -> None:
    texts = ["".join(pieces[: count + 1]) for count in range(len(pieces))]
    together = classifier.predict_proba(texts)
    stream = attempt(classifier.stream)
    assert isinstance(stream, TextStream)
    assert attempt(stream.step, None) is REFUSED
    for piece, text, row in zip(pieces, texts, together, strict=True):
        assert (stream.step(piece) == row).all(), f"other bits after {text!r}"
        assert stream.text == text


def seeds() -> dict[str, bytes]:
    def of(word: int, pieces: list[list[int]], length: int = 0) -> bytes:
        coded = b"".join(bytes([len(piece)]) + b"".join(bytes([0, 0, number]) for number in piece) for piece in pieces)
        return bytes([word, length, len(pieces) - 1]) + coded

    return {
        "characters": of(0, [[0, 1, 2], [3], [7, 8]]),
        "accents": of(0, [[0, 4], [4, 24], [4]]),
        "words": of(1, [[0, 1], [5, 0, 2], [1, 0, 2, 7]]),
        "hangul": of(0, [[14], [15], [16, 17]]),
        "cut": of(1, [[0, 2, 1, 2, 0], [2, 0, 2, 0, 2, 0]], 3),
        "surrogates": of(1, [[21], [22, 23], [9, 10]]),
        "long": of(1, [[30, 30], [30], [2, 30]], 2),
        "raw": bytes([0, 0, 0, 2, 1, 6]) + "é我".encode() + bytes([1, 4]) + b"\xff\xfeab",
    }
