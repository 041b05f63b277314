"""Texts to numbers: tokens, and the vocabulary that numbers them."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from elman._errors import InputError
from elman.runtime._words import SPACELESS
from elman.runtime._words.older import lowered_words
from elman.runtime._words.segmentation import composed, lookup, words

__all__ = [
    "PADDING",
    "SPECIAL_TOKENS",
    "START",
    "UNKNOWN",
    "Vocabulary",
    "choose_tokens",
    "encode",
    "tokenize",
]

# Numbers 0 to 3. A text always starts and ends with a mark, so that the network sees where a token stands
# in it and an empty text has something to read. No token can look like these: words have no brackets.
SPECIAL_TOKENS = ("<padding>", "<unknown>", "<start>", "<end>")
PADDING, UNKNOWN, START, END = range(4)

_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPE = re.compile(r"\\(?:(\\)|u\{([0-9a-f]{1,6})\})")

SAMPLED_TEXTS = 2000
LONGEST_WORD = 40  # characters a word may have, for cutting long texts before they are split


def tokenize(text: str, tokens: str, max_length: int) -> tuple[list[str], bool]:
    """Split a text into at most ``max_length`` tokens, and say whether it was cut.

    ``char``: its characters, composed (NFC). ``word``: its words in lower case, each punctuation mark, and
    each character of a script written without spaces. ``older word``: those of older models.
    """
    if tokens == "char":
        cut = text if len(text) <= max_length else text[: 4 * max_length + 16]  # composing makes one of four at most
        characters = list(composed(cut))
        return characters[:max_length], len(characters) > max_length
    cut = text[: (max_length + 1) * LONGEST_WORD]
    split = lowered_words if tokens == "older word" else _words
    found = list(islice(split(cut), max_length + 1))
    return found[:max_length], len(cut) < len(text) or len(found) > max_length


def choose_tokens(texts: Sequence[str]) -> str:
    """Choose ``word`` for texts of several words each, else ``char`` (Chinese, names, codes)."""
    sample = [text[:1000] for text in texts[:: max(1, len(texts) // SAMPLED_TEXTS)]]
    letters = sum(sum(c.isalpha() for c in text) for text in sample)
    spaceless = sum(len(re.findall(f"[{SPACELESS}]", text)) for text in sample)
    if spaceless > 0.3 * letters:
        return "char"
    from statistics import median  # takes as long to import as all of this module

    return "word" if median(len(text.split()) for text in sample) >= 3 else "char"


def encode(text: str, vocabulary: "Vocabulary", tokens: str, max_length: int) -> list[int]:
    """Return the numbers of a text's tokens between the marks of its start and end."""
    return vocabulary.encode(tokenize(text, tokens, max_length)[0])


class Vocabulary:
    """The tokens a model knows, each with its number; the first four are :data:`SPECIAL_TOKENS`."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self.tokens = (*SPECIAL_TOKENS, *tokens)
        self._numbers = {token: number for number, token in enumerate(self.tokens) if number >= len(SPECIAL_TOKENS)}

    @classmethod
    def build(cls, texts: Iterable[Sequence[str]], minimum_count: int, limit: int = 100_000) -> "Vocabulary":
        """Number the tokens that occur often enough, the commonest first."""
        return cls.of_counts(Counter(token for text in texts for token in text), minimum_count, limit)

    @classmethod
    def of_counts(cls, counts: Mapping[str, int], minimum_count: int, limit: int = 100_000) -> "Vocabulary":
        """Number tokens by how often they occur; halves of a surrogate pair are no tokens."""
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return cls(token for token, count in ranked[:limit] if count >= minimum_count and not _SURROGATE.search(token))

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, tokens: Sequence[str]) -> list[int]:
        """Return the numbers of a text's tokens between the marks of its start and end."""
        return [START, *self.numbers(tokens), END]

    def numbers(self, tokens: Iterable[str]) -> list[int]:
        """Return the numbers of tokens."""
        return [self._numbers.get(token, UNKNOWN) for token in tokens]

    def lines(self) -> str:
        r"""Write one token a line; what does not print stands as ``\u{…}``, a backslash as two."""
        return "".join(f"{_escape(token)}\n" for token in self.tokens)

    @classmethod
    def from_lines(cls, text: str, name: str) -> "Vocabulary":
        """Read what :meth:`lines` wrote.

        Raises:
            InputError: it is no such text.
        """
        if not text.endswith("\n"):
            raise InputError(f"{name}: expected one token a line, the last line has no end")
        tokens = [_unescape(line, f"{name}, line {i}") for i, line in enumerate(text[:-1].split("\n"), start=1)]
        if tuple(tokens[: len(SPECIAL_TOKENS)]) != SPECIAL_TOKENS:
            raise InputError(f"{name}, line 1: expected the tokens {', '.join(SPECIAL_TOKENS)} first")
        if len(set(tokens)) != len(tokens):
            raise InputError(f"{name}: expected every token once")
        return cls(tokens[len(SPECIAL_TOKENS) :])


def _words(text: str) -> Iterator[str]:
    whole = composed(text)
    return (lookup(whole[start:end]) for start, end in words(whole))


def _escape(token: str) -> str:
    return "".join("\\\\" if c == "\\" else c if c.isprintable() and c != " " else f"\\u{{{ord(c):x}}}" for c in token)


def _unescape(line: str, place: str) -> str:
    if "\\" not in line:
        return line
    if "\\" in _ESCAPE.sub("", line):
        raise InputError(f"{place}: expected \\\\ or \\u{{…}} after a backslash, got something else")
    codes = [int(match[2], 16) for match in _ESCAPE.finditer(line) if match[2]]
    if any(code > 0x10FFFF or 0xD800 <= code <= 0xDFFF for code in codes):
        raise InputError(f"{place}: expected the code of a character, got {max(codes):x}")
    return _ESCAPE.sub(lambda match: "\\" if match[1] else chr(int(match[2], 16)), line)
