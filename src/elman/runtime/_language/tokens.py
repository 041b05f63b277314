"""A text as tokens that give the text back when joined, read in blocks that may be cut anywhere."""

from collections.abc import Iterable, Iterator

from elman.runtime._words.older import language_tokens
from elman.runtime._words.segmentation import segments

__all__ = ["split", "split_blocks"]


def split(text: str, tokens: str) -> list[str]:
    """Return a text's tokens.

    Args:
        text: the text.
        tokens: ``char``: its characters, as they are; ``word``: words and marks, each with the space before it, and
            other white space by the character; ``older word``: as older models have them.
    """
    if tokens == "char":
        return list(text)
    return language_tokens(text) if tokens == "older word" else _words(text)


def split_blocks(blocks: Iterable[str], tokens: str) -> Iterator[list[str]]:
    """Yield the tokens of a text that comes in blocks, the same ones wherever it was cut."""
    rest = ""
    for block in blocks:
        text = rest + block
        # what follows the last space may go on; a space or the end of a line always begins a token
        whole = len(text) if tokens == "char" else max(text.rfind(" "), text.rfind("\n"), 0)
        rest = text[whole:]
        yield split(text[:whole], tokens)
    yield split(rest, tokens)


def _words(text: str) -> list[str]:
    found: list[str] = []
    end = 0
    for start, following in segments(text):
        first = start - 1 if start > end and text[start - 1] == " " else start
        found += text[end:first]  # white space
        found.append(text[first:following])
        end = following
    return [*found, *text[end:]]
