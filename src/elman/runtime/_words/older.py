"""Words as models have them that say nothing of their segmentation: a word there ends at every mark of an accent.

Each task had a pattern of its own. They stay as they are, so that such models predict what they always did. They are
compiled, and kept by the module re, when one is met.
"""

import re
import unicodedata
from collections.abc import Iterator

from elman.runtime._words import SPACELESS

__all__ = ["language_tokens", "lookup", "lowered_words", "tagger_words"]

_LETTERS = rf"[^\W{SPACELESS}]+(?:['’][^\W{SPACELESS}]+)*"
_LOWERED_WORD = rf"[{SPACELESS}]|{_LETTERS}|[^\w\s]"
_LANGUAGE_TOKEN = rf" ?[{SPACELESS}]| ?{_LETTERS}| ?[^\w\s]|\s"
# A word keeps the marks within it (R&B, I'm, 8:30, twenty-one) and loses those around it.
_TAGGER_WORD = rf"[{SPACELESS}]|[^\W{SPACELESS}](?:[^\s{SPACELESS}]*[^\W{SPACELESS}])?|[^\w\s]"


def lowered_words(text: str) -> Iterator[str]:
    """Yield the words of a text for a classifier."""
    return (match.group() for match in re.finditer(_LOWERED_WORD, unicodedata.normalize("NFC", text).lower()))


def tagger_words(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each word for a tagger."""
    return (match.span() for match in re.finditer(_TAGGER_WORD, text))


def lookup(word: str) -> str:
    """Return what a tagger looks a word up as."""
    return unicodedata.normalize("NFC", word).lower()


def language_tokens(text: str) -> list[str]:
    """Return the tokens of a text for a language model."""
    return re.findall(_LANGUAGE_TOKEN, text)
