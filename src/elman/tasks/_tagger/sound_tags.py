"""Tags as their scheme wants them: checked, or repaired."""

from collections.abc import Callable, Container, Sequence

from elman._errors import InputError, option, shown
from elman.runtime._tagger.tags import (
    OUTSIDE,
    PLAIN,
    detect_scheme,
    encode_spans,
    first_fault,
    is_bare,
    is_tag_of,
    letters_of,
    tag_spans,
)

__all__ = ["IOB1", "comparable_tags", "sound_tags"]

IOB1 = "IOB1"

Place = Callable[[int, int], str]


def sound_tags(
    tags: Sequence[Sequence[str]], scheme: str, *, repair: bool, place: Place, known: Container[str] | None = None
) -> tuple[list[list[str]], int]:
    """Return tags that are well-formed, and in how many sentences they were not and have been repaired.

    An ill-formed tag begins or ends a span where ``conlleval`` would see one begin or end. ``IOB1`` becomes ``BIO``.

    Args:
        tags: of each sentence.
        scheme: what they are written in.
        repair: whether those that are ill-formed may be repaired.
        place: says in a message where a token is: its sentence's number and its own.
        known: the tags that there may be; ``None``: any.

    Raises:
        InputError: a tag does not print, is unknown or of another scheme, or ill-formed and not to be repaired.
    """
    written = "BIO" if scheme == IOB1 else scheme
    sound, repaired = [], 0
    for number, sentence in enumerate(tags):
        for token, tag in enumerate(sentence):
            if not tag or not tag.isprintable():
                raise InputError(f"{place(number, token)}: expected a tag that prints, got {shown(tag)}")
            if not is_tag_of(written, tag):
                expected = f"expected a tag of {written} ({_examples(written)})"
                raise InputError(f"{place(number, token)}: {expected}, got {shown(tag)}")
        fault = first_fault(sentence, written)
        if fault is not None and scheme != IOB1:
            repaired += 1
            if not repair:
                raise InputError(_ill_formed(sentence, fault, scheme, place(number, min(fault, len(sentence) - 1))))
        mended = list(sentence) if fault is None else encode_spans(tag_spans(sentence), len(sentence), written)
        for token, tag in enumerate(mended):
            if known is not None and tag not in known:
                raise InputError(f"{place(number, token)}: expected a tag seen in training, got {shown(tag)}")
        sound.append(mended)
    return sound, repaired


def _examples(scheme: str) -> str:
    end = "" if is_bare(scheme) else "-…"
    return ", ".join([OUTSIDE, *(f"{letter}{end}" for letter in dict.fromkeys(letters_of(scheme)))])


def _ill_formed(sentence: Sequence[str], fault: int, scheme: str, place: str) -> str:
    tag = sentence[fault] if fault < len(sentence) else "the end of the sentence"
    after = sentence[fault - 1] if fault else OUTSIDE
    mending = option("repair_tags", True)
    return f"{place}: expected what may follow {after} in {scheme}, got {tag}; {mending} mends it"


def comparable_tags(tags: Sequence[Sequence[str]], scheme: str, place: Place) -> list[list[str]]:
    """Return the tags of a file, in whatever scheme, in that of a model; the spans stay what ``conlleval`` reads.

    Raises:
        InputError: tags that mark no spans, for a model of spans.
    """
    if scheme == PLAIN:
        return [list(sentence) for sentence in tags]
    detected = detect_scheme(tags)
    other = detected == PLAIN or is_bare(detected) != is_bare(scheme)
    sound, _ = sound_tags(tags, scheme if other else detected, repair=True, place=place)
    return [encode_spans(tag_spans(sentence), len(sentence), scheme) for sentence in sound]
