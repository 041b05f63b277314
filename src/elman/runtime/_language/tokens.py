"""A text as tokens that give the text back when joined, read in blocks that may be cut anywhere."""

import re
from collections.abc import Iterable, Iterator

from elman.runtime._vocabulary import SPACELESS

__all__ = ["split", "split_blocks"]

# A word or a mark takes the space before it along; other white space is a token by the character.
_WORDS = re.compile(rf" ?[{SPACELESS}]| ?[^\W{SPACELESS}]+(?:['’][^\W{SPACELESS}]+)*| ?[^\w\s]|\s")


def split(text: str, tokens: str) -> list[str]:
    """Return a text's tokens: its characters, as they are (``char``), or words and marks (``word``)."""
    return list(text) if tokens == "char" else _WORDS.findall(text)


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
