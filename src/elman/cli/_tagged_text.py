"""Tagged sentences for a person: what is marked stands in colour and brackets."""

from collections.abc import Sequence

from elman.cli._wording import printable
from elman.runtime._tagger.tags import PLAIN, marked
from elman.runtime._tagger.words import Token

__all__ = ["marked_text"]

COLOURS = (36, 33, 35, 32, 34, 31)  # of the terminal's own palette, which suits its background


def marked_text(text: str, tokens: Sequence[Token], tags: Sequence[str], scheme: str, types: Sequence[str]) -> str:
    """Return a sentence with its tags in it: ``to [New York city] on Monday``, or ``dogs/NOUN bark/VERB``.

    Args:
        text: the sentence.
        tokens: those of it.
        tags: (tokens,) their tags.
        scheme: what the tags are written in.
        types: those to colour, each in a colour of its own; none for a text without colours.
    """
    pieces, end = [], 0
    for type_, first, last in marked(tags, scheme):
        start, stop = tokens[first].start, tokens[last - 1].end
        words = printable(text[start:stop])
        mark = f"{words}/{printable(type_)}" if scheme == PLAIN else f"[{f'{words} {printable(type_)}'.rstrip()}]"
        if type_ in types:
            mark = f"\x1b[{COLOURS[types.index(type_) % len(COLOURS)]}m{mark}\x1b[0m"
        pieces += [printable(text[end:start]), mark]
        end = stop
    return "".join([*pieces, printable(text[end:])])
