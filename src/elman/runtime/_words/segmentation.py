"""Words as Unicode's text segmentation has them (UAX 29, word boundaries), with the changes that tokens want.

The rules look at each character's class alone: a text becomes a string of their letters, and one pattern over that
string finds the segments. The classes come from a table of ours, so that every Python has the same.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator

from elman.runtime._words.table import RANGES

__all__ = ["composed", "lookup", "segments", "words"]

OTHER = "O"
SPACES = [*range(0x9, 0xE), *range(0x1C, 0x21), 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B)]
SPACES += [0x2028, 0x2029, 0x202F, 0x205F, 0x3000]
# Ours in place of the table's.
CHANGED = {
    **dict.fromkeys(SPACES, "S"),
    **dict.fromkeys(map(ord, "-‐‑&＆"), "J"),  # within a word: e-mail, R&B
    **dict.fromkeys(map(ord, "#@＃＠"), "A"),  # before one: #topic, @name
    **dict.fromkeys(map(ord, ":︓﹕："), "T"),  # between digits alone: 8:30
    **dict.fromkeys(map(ord, "‘’＇"), "G"),  # Unicode's MidNumLet, apart from full stops
    0x200B: "I",  # a space of no width is between words, and none of them
    0x3005: OTHER,  # 々 repeats an ideograph and stands for one
}
# Katakana is read by the character, as all scripts without spaces are.
_RANGES = sorted(
    (int(ends.split("-")[0], 16), int(ends.split("-")[-1], 16), letter)
    for letter, ranges in RANGES.items()
    if letter != "K"
    for ends in ranges.split()
)
_STARTS = [start for start, _, _ in _RANGES]


class _Classes(dict[int, str]):
    """The letter of each character's class, by its code point; looked up once."""

    def __missing__(self, code: int) -> str:
        place = bisect_right(_STARTS, code) - 1
        letter = _RANGES[place][2] if place >= 0 and code <= _RANGES[place][1] else OTHER
        self[code] = letter
        return letter


_CLASSES = _Classes(CHANGED)

_TAIL = "[EFZ]*(?![EFZ])"  # what is added to a character: marks, joiners
_LETTER = "[LHB]"
_WORD = "[LHBNU]"
_JOINED = f"J{_TAIL}(?=[LHBN])"
_BETWEEN_LETTERS = f"[MQG]{_TAIL}(?={_LETTER})|{_JOINED}"
_UNITS = (
    # initials: U.S, p.m; full stops join no longer parts, as in the.end
    f"(?<![LHBNUEFZ]){_LETTER}{_TAIL}(?:P{_TAIL}{_LETTER}{_TAIL})+(?!{_WORD})(?:{_BETWEEN_LETTERS})?",
    f"[LB]+{_TAIL}(?:{_BETWEEN_LETTERS})?",
    f"H(?!{_TAIL}Q{_TAIL}(?!{_LETTER})){_TAIL}(?:{_BETWEEN_LETTERS}|D{_TAIL}(?=H))?",
    f"N+{_TAIL}(?:[CPQGT]{_TAIL}(?=N)|{_JOINED})?",
    f"U+{_TAIL}",
)
_HEBREW_END = f"H{_TAIL}Q{_TAIL}"
_RUN = f"(?:(?:{'|'.join(_UNITS)})+(?:{_HEBREW_END})?|{_HEBREW_END})"
_SEGMENT = re.compile(
    f"(?:(?:(?<![LHBNUEFZ])A(?={_WORD}))?{_RUN}|W+{_TAIL}|R{_TAIL}(?:R{_TAIL})?|[^S]{_TAIL})"
    f"(?:(?<=Z)(?:(?=B){_RUN}|X{_TAIL}))*"  # a joiner takes the pictograph after it along
)
_ADDRESS = re.compile(
    r"(?<![A-Za-z0-9])(?i:(?:https?|ftp)://|www\.)[A-Za-z0-9#$%&'()*+,./:;=?@\[\]_~!-]*[A-Za-z0-9#$%&*+/=@_~-]"
    r"|(?<![A-Za-z0-9._%+-])[A-Za-z0-9][A-Za-z0-9._%+-]*@(?:[A-Za-z0-9-]+\.)+[A-Za-z]+"
)


def segments(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of all that white space does not hold: words, and marks by the character."""
    return (match.span() for match in _SEGMENT.finditer(_classes(text)))


def words(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each word and each mark that is seen: no lone joiner, no space of no width."""
    classes = _classes(text)
    for match in _SEGMENT.finditer(classes):
        start, end = match.span()
        if classes[start] not in "FIZ" or classes[start:end].strip("EFIZ"):
            yield start, end


def lookup(word: str) -> str:
    """Return what a word is known as: composed (NFC), in lower case, without soft hyphens and marks of direction."""
    if word.isascii():
        return word.lower()
    seen = "".join(letter for letter in word if _CLASSES[ord(letter)] != "F")
    return composed(composed(seen or word).lower())


def composed(word: str) -> str:
    """Return a word with letters and marks in one character where there is one (NFC)."""
    return unicodedata.normalize("NFC", word)


def _classes(text: str) -> str:
    """Return the letter of each character's class; web and mail addresses are one word each."""
    classes = text.translate(_CLASSES)
    if "@" not in text and "://" not in text and "www." not in text.lower():
        return classes
    pairs = zip(text, classes, strict=True)
    letters = "".join("a" if kind in "LHBNEFZ" and not letter.isascii() else letter for letter, kind in pairs)
    pieces, end = [], 0
    for match in _ADDRESS.finditer(letters):
        pieces += [classes[end : match.start()], "W" * (match.end() - match.start())]
        end = match.end()
    return "".join([*pieces, classes[end:]])
