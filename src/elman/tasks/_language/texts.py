"""Texts as a person gives them, read into a corpus."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from elman._errors import InputError
from elman.runtime._classifiers.text import checked_texts
from elman.runtime._vocabulary import SPECIAL_TOKENS
from elman.tasks._language.corpus import Corpus, encode, text_blocks

__all__ = ["NAMES", "Texts", "blocks", "read_corpus"]

Texts = str | Path | Sequence[str]  # a text, a file, or texts that each begin on a line of their own

NAMES = {"char": "characters", "word": "words and marks"}


def read_corpus(
    texts: Texts,
    held: Iterable[str] | float,
    tokens: str,
    window: int,
    *,
    encoding: str = "utf-8",
    folder: str | Path | None = None,
) -> Corpus:
    """Return texts as the numbers of their tokens.

    Args:
        texts: to train on.
        held, tokens, folder: as :func:`elman.tasks._language.corpus.encode` takes them.
        window: steps of a window, of which there must be two.
        encoding: of a file.

    Raises:
        InputError: a file is no text, or the text is too short.
    """
    corpus = encode(blocks(texts, encoding), held, tokens, folder)
    length, least = len(corpus.training), 2 * window
    name = str(texts) if isinstance(texts, Path) else "texts"
    if length < least:
        raise InputError(f"{name}: expected {least} {NAMES[tokens]} or more to train on, got {length}")
    if len(corpus.vocabulary) == len(SPECIAL_TOKENS):
        raise InputError(f"{name}: expected {NAMES[tokens]} that occur twice or more, got none")
    return corpus


def blocks(texts: Texts, encoding: str = "utf-8") -> Iterable[str]:
    """Return texts in blocks, cut anywhere."""
    if isinstance(texts, Path):
        return text_blocks(texts, encoding)
    if isinstance(texts, str):
        return [texts]
    return _lines(checked_texts(texts))


def _lines(texts: Sequence[str]) -> Iterator[str]:
    for text in texts:
        yield text if text.endswith("\n") else f"{text}\n"
