"""Tags of spans: BIO, BIOES and their like, from and to the spans that they mark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "OUTSIDE",
    "PLAIN",
    "Span",
    "detect_scheme",
    "encode_spans",
    "first_fault",
    "is_tag_of",
    "marked",
    "tag_spans",
    "transitions",
]

OUTSIDE, PLAIN = "O", "plain"
# What begins a span, goes on in it, ends it, and is one by itself.
SCHEMES = {"BIO": ("B", "I", "I", "B"), "BIOES": ("B", "I", "E", "S"), "BILOU": ("B", "I", "L", "U")}
BEGINS, CONTINUES, ENDS = "BSU", "IEL", "ESLU"


class Span(NamedTuple):
    """Tokens ``start`` to ``end``, ``end`` not included, that are one thing of a type."""

    type: str
    start: int
    end: int


def detect_scheme(tags: Iterable[Sequence[str]]) -> str:
    """Return what sentences of tags are written in: ``BIO``, ``BIOES``, ``BILOU``, ``IOB1`` or ``plain``.

    IOB1 begins a span with ``B-`` only where one of the same type ends just before it. Fewer than half of the tags may
    be other than those of spans: they are mistakes then.
    """
    counts: Counter[str] = Counter()
    for sentence in tags:
        for previous, tag in zip([OUTSIDE, *sentence], sentence, strict=False):
            if tag != OUTSIDE:
                goes_on = previous[2:] == tag[2:]
                counts[f"{tag[0]} {'after' if goes_on else 'first'}" if _marks_span(tag) else PLAIN] += 1
    if counts[PLAIN] >= counts.total() / 2:
        return PLAIN
    letters = {key[0] for key in counts if key != PLAIN}
    if letters <= {"B", "I"}:
        return "IOB1" if counts["I first"] and not counts["B first"] else "BIO"
    return "BILOU" if letters & {"L", "U"} else "BIOES"


def is_tag_of(scheme: str, tag: str) -> bool:
    """Return whether a scheme has such a tag."""
    return scheme == PLAIN or tag == OUTSIDE or (_marks_span(tag) and tag[0] in SCHEMES[scheme])


def tag_spans(tags: Sequence[str]) -> list[Span]:
    """Return the spans of a sentence, as ``conlleval`` reads them: ill-formed tags mark spans too.

    Example:
        >>> tag_spans(["B-city", "I-city", "O", "I-time"])
        [Span(type='city', start=0, end=2), Span(type='time', start=3, end=4)]
    """
    spans, start = [], 0
    for place, (previous, tag) in enumerate(zip([OUTSIDE, *tags], [*tags, OUTSIDE], strict=True)):
        if previous[2:] == tag[2:] and previous[0] not in ENDS and tag[0] not in BEGINS:
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
    """Return the tags, (length,), of spans that do not overlap, in BIO, BIOES or BILOU."""
    begin, within, end, single = SCHEMES[scheme]
    tags = [OUTSIDE] * length
    for kind, start, stop in spans:
        letters = [begin, *[within] * (stop - start - 2), end] if stop - start > 1 else [single]
        tags[start:stop] = [f"{letter}-{kind}" for letter in letters]
    return tags


def first_fault(tags: Sequence[str], scheme: str) -> int | None:
    """Return the place of the first tag that may not stand where it does; that of the end is ``len(tags)``."""
    pairs = zip([OUTSIDE, *tags], [*tags, OUTSIDE], strict=True)
    return next((place for place, pair in enumerate(pairs) if not _may_follow(*pair, scheme)), None)


def transitions(tags: Sequence[str], scheme: str) -> NDArray[np.bool_]:
    """Return whether a tag (columns) may follow another (rows), (tags + 1, tags + 1); the last are start and end."""
    around = [*tags, OUTSIDE]
    return np.array([[_may_follow(previous, tag, scheme) for tag in around] for previous in around])


def _marks_span(tag: str) -> bool:
    return tag[:1] in tuple("BIESLU") and tag[1:2] == "-" and len(tag) > 2


def _may_follow(previous: str, tag: str, scheme: str) -> bool:
    if scheme == PLAIN:
        return True
    is_open = previous[0] in "BI" and previous != OUTSIDE
    if tag[0] in CONTINUES:
        return is_open and previous[2:] == tag[2:]
    return scheme == "BIO" or not is_open
