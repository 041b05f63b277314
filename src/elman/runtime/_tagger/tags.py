"""Tags of spans: BIO, BIOES and their like, from and to the spans that they mark.

Tags without a type, as those of word segmentation are (B M E S), are of a scheme of their own, such as ``bare BMES``;
the type of their spans is "".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence, Set
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "OUTSIDE",
    "PLAIN",
    "Scheme",
    "Span",
    "detect_scheme",
    "encode_spans",
    "first_fault",
    "is_bare",
    "is_tag_of",
    "letters_of",
    "marked",
    "tag_spans",
    "transitions",
]

OUTSIDE, PLAIN = "O", "plain"
SCHEMES = {
    "BIO": ("B", "I", "I", "B"),
    "BIOES": ("B", "I", "E", "S"),
    "BILOU": ("B", "I", "L", "U"),
    "BMES": ("B", "M", "E", "S"),
    "BMEW": ("B", "M", "E", "W"),
}
BEGINS, CONTINUES, OPEN, ENDS = "BSUW", "IELM", "BIM", "ESLUW"
BARE = "bare "
Scheme = Literal[
    "plain", "BIO", "BIOES", "BILOU", "BMES", "BMEW",
    "bare BIO", "bare BIOES", "bare BILOU", "bare BMES", "bare BMEW",
]  # fmt: skip


class Span(NamedTuple):
    """Tokens ``start`` to ``end``, ``end`` not included, that are one thing of a type."""

    type: str
    start: int
    end: int


def detect_scheme(tags: Iterable[Sequence[str]]) -> str:
    """Return what sentences of tags are written in: one of :data:`Scheme`, or ``IOB1``.

    IOB1 begins a span with ``B-`` only where one of the same type ends just before it. Fewer than half of the tags may
    be other than those of spans: they are mistakes then. Of tags without a type, fewer than half of the sentences.
    """
    sentences = list(tags)
    known = {tag for sentence in sentences for tag in sentence} - {OUTSIDE}
    if all(len(tag) == 1 and tag in BEGINS + CONTINUES for tag in known) and "B" in known and known & {*CONTINUES}:
        bare = BARE + _scheme_with(known)
        faults = sum(first_fault(sentence, bare) is not None for sentence in sentences)
        return bare if faults < len(sentences) / 2 else PLAIN
    counts: Counter[str] = Counter()
    for sentence in sentences:
        for previous, tag in zip([OUTSIDE, *sentence], sentence, strict=False):
            if tag != OUTSIDE:
                goes_on = previous[2:] == tag[2:]
                counts[f"{tag[0]} {'after' if goes_on else 'first'}" if _marks_span(tag) else PLAIN] += 1
    if counts[PLAIN] >= counts.total() / 2:
        return PLAIN
    letters = {key[0] for key in counts if key != PLAIN}
    if letters <= {"B", "I"}:
        return "IOB1" if counts["I first"] and not counts["B first"] else "BIO"
    return _scheme_with(letters)


def is_tag_of(scheme: str, tag: str) -> bool:
    """Return whether a scheme has such a tag."""
    if scheme == PLAIN or tag == OUTSIDE:
        return True
    return (len(tag) == 1 if is_bare(scheme) else _marks_span(tag)) and tag[0] in letters_of(scheme)


def is_bare(scheme: str) -> bool:
    """Return whether the tags of a scheme have no types."""
    return scheme.startswith(BARE)


def letters_of(scheme: str) -> tuple[str, str, str, str]:
    """Return the letters of a scheme of spans: what begins one, goes on in it, ends it, and is one by itself."""
    return SCHEMES[scheme.removeprefix(BARE)]


def tag_spans(tags: Sequence[str]) -> list[Span]:
    """Return the spans of a sentence, as ``conlleval`` reads them: ill-formed tags mark spans too.

    Example:
        >>> tag_spans(["B-city", "I-city", "O", "I-time"])
        [Span(type='city', start=0, end=2), Span(type='time', start=3, end=4)]
    """
    spans, start = [], 0
    for place, (previous, tag) in enumerate(zip([OUTSIDE, *tags], [*tags, OUTSIDE], strict=True)):
        alike = previous[2:] == tag[2:] and (previous == OUTSIDE) == (tag == OUTSIDE)
        if alike and previous[0] not in ENDS and tag[0] not in BEGINS:
            continue  # within a span, or outside of all
        if previous != OUTSIDE:
            spans.append(Span(previous[2:], start, place))
        start = place
    return spans


def marked(tags: Sequence[str], scheme: str) -> list[Span]:
    """Return the spans of a sentence; plain tags but ``O`` mark one token each."""
    if scheme != PLAIN:
        return tag_spans(tags)
    return [Span(tag, place, place + 1) for place, tag in enumerate(tags) if tag != OUTSIDE]


def encode_spans(spans: Iterable[Span], length: int, scheme: str) -> list[str]:
    """Return the tags, (length,), of spans that do not overlap, in a scheme of spans."""
    begin, within, end, single = letters_of(scheme)
    tags, bare = [OUTSIDE] * length, is_bare(scheme)
    for name, start, stop in spans:
        letters = [begin, *[within] * (stop - start - 2), end] if stop - start > 1 else [single]
        tags[start:stop] = letters if bare else [f"{letter}-{name}" for letter in letters]
    return tags


def first_fault(tags: Sequence[str], scheme: str) -> int | None:
    """Return the place of the first tag that may not stand where it does; that of the end is ``len(tags)``."""
    pairs = zip([OUTSIDE, *tags], [*tags, OUTSIDE], strict=True)
    return next((place for place, pair in enumerate(pairs) if not _may_follow(*pair, scheme)), None)


def transitions(tags: Sequence[str], scheme: str) -> NDArray[np.float64]:
    """Return 0 where a tag (columns) may follow another (rows), else minus infinity.

    Returns:
        (tags + 1, tags + 1); the last row and column are the start and the end of a sentence.
    """
    around = [*tags, OUTSIDE]
    return np.array([[0.0 if _may_follow(tag, after, scheme) else -np.inf for after in around] for tag in around])


def _marks_span(tag: str) -> bool:
    return tag[:1] in tuple(BEGINS + CONTINUES) and tag[1:2] == "-" and len(tag) > 2


def _scheme_with(letters: Set[str]) -> str:
    if letters <= {"B", "I"}:
        return "BIO"
    if letters & {"M", "W"}:
        return "BMEW" if "W" in letters else "BMES"
    return "BILOU" if letters & {"L", "U"} else "BIOES"


def _may_follow(previous: str, tag: str, scheme: str) -> bool:
    if scheme == PLAIN:
        return True
    is_open = previous[0] in OPEN
    if tag[0] in CONTINUES:
        return is_open and previous[2:] == tag[2:]
    return scheme.endswith("BIO") or not is_open
