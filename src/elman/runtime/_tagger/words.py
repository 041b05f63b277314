"""A text to words, with their places in it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from elman.runtime._words.older import tagger_words
from elman.runtime._words.segmentation import words

__all__ = ["Token", "choose_tokens", "joined", "split"]

_CHARACTER = re.compile(r"\S")


class Token(NamedTuple):
    """A token and the characters of the text that it stands for, ``end`` not included."""

    text: str
    start: int
    end: int


def split(text: str, tokens: str) -> list[Token]:
    """Split a text.

    Args:
        text: a sentence.
        tokens: ``char``: its characters but spaces; ``word``: words, each punctuation mark, and each character of a
            script written without spaces; ``older word``: as older models have them.
    """
    if tokens == "char":
        return [Token(match.group(), *match.span()) for match in _CHARACTER.finditer(text)]
    spans = tagger_words(text) if tokens == "older word" else words(text)
    return [Token(text[start:end], start, end) for start, end in spans]


def choose_tokens(sentences: Iterable[Iterable[str]]) -> str:
    """Return ``char`` where all tokens are single characters, else ``word``."""
    return "char" if all(len(token) == 1 for tokens in sentences for token in tokens) else "word"


def joined(sentence: list[str], tokens: str) -> tuple[str, list[Token]]:
    """Return a text of tokens and their places in it, with spaces between words and none between characters."""
    space, places, start = "" if tokens == "char" else " ", [], 0
    for word in sentence:
        places.append(Token(word, start, start + len(word)))
        start += len(word) + len(space)
    return space.join(sentence), places
