"""A text to words, with their places in it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from elman.runtime._vocabulary import SPACELESS

__all__ = ["Token", "choose_tokens", "joined", "normalize", "split"]

# A word keeps the marks within it (R&B, I'm, 8:30, twenty-one) and loses those around it.
_WORD = re.compile(rf"[{SPACELESS}]|[^\W{SPACELESS}](?:[^\s{SPACELESS}]*[^\W{SPACELESS}])?|[^\w\s]")
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
            script written without spaces.
    """
    pattern = _CHARACTER if tokens == "char" else _WORD
    return [Token(match.group(), *match.span()) for match in pattern.finditer(text)]


def choose_tokens(sentences: Iterable[Iterable[str]]) -> str:
    """Return ``char`` where all tokens are single characters, else ``word``."""
    return "char" if all(len(token) == 1 for tokens in sentences for token in tokens) else "word"


def normalize(word: str) -> str:
    """Return what a word is looked up as; its characters are read as they are."""
    return unicodedata.normalize("NFC", word).lower()


def joined(words: list[str], tokens: str) -> tuple[str, list[Token]]:
    """Return a text of tokens and their places in it, with spaces between words and none between characters."""
    space, places, start = "" if tokens == "char" else " ", [], 0
    for word in words:
        places.append(Token(word, start, start + len(word)))
        start += len(word) + len(space)
    return space.join(words), places
