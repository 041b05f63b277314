"""A text as numbers in a file that is mapped into memory, whatever the text's size."""

import codecs
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from elman._errors import InputError
from elman._files import writing
from elman.runtime._language.tokens import split_blocks
from elman.runtime._vocabulary import UNKNOWN, Vocabulary
from elman.tasks._decoding import check_encoding, decoded_lines, encoding_of
from elman.tasks._other_formats import by_content
from elman.tasks._reading import open_input

__all__ = ["LONGEST_EPOCH", "Corpus", "encode", "text_blocks"]

BLOCK = 1 << 18  # bytes or numbers at a time
# Every character of the text may stand in a prompt; of those that occur once, every second shows what an unknown one is
# like. Words that occur once all do.
LEAST_COUNT = {"char": 1, "word": 2}
LONGEST_EPOCH = 1_500_000  # tokens; of a longer text, an epoch reads a part
MOST_HELD = 1 << 18  # tokens of a tail, each of which every epoch reads
MOST_KNOWN = {"char": 20_000, "word": 10_000}

Numbers = NDArray[np.int32]


@dataclass(frozen=True)
class Corpus:
    """An encoded text.

    Attributes:
        tokens: what a token is.
        training, held: (tokens,) the numbers of what is learned from and of what is validated on.
        vocabulary: the tokens known.
        held_characters: of the validation part.
        held_unknown: the tokens in it that are not known, and how often each occurs.
        digest: of the whole text.
    """

    tokens: Literal["char", "word"]
    training: Numbers
    held: Numbers
    vocabulary: Vocabulary
    held_characters: int
    held_unknown: dict[str, int]
    digest: str


def text_blocks(path: str | Path, encoding: str = "utf-8") -> Iterator[str]:
    """Yield a file's text in blocks; line ends stay as they are, a byte order mark is dropped.

    Raises:
        InputError: there is no such file, or bytes that are not of the encoding, or a NUL; the message says where.
    """
    known, decoder = check_encoding(encoding), None
    with open_input(path) as stream:
        while True:
            block = stream.read(BLOCK)
            if not decoder:
                if by_content(block):
                    raise _refusal(path, encoding)
                decoder = codecs.getincrementaldecoder(encoding_of(block, known))()
            try:
                text = decoder.decode(block, final=not block)
            except UnicodeDecodeError:
                raise _refusal(path, encoding) from None
            if "\0" in text:
                raise _refusal(path, encoding)
            yield text
            if not block:
                return


def encode(text: Iterable[str], held: Iterable[str] | float, tokens: str, folder: str | Path | None = None) -> Corpus:
    """Number the tokens of a text, and keep the numbers in a file without a name, which goes when they do.

    Args:
        text: the text in blocks, cut anywhere.
        held: the text to validate on, likewise, or which share of ``text``, its tail, is held out for that, of
            at most 262,144 tokens.
        tokens: ``char`` or ``word``.
        folder: where the file lies; None: where temporary files do.

    Raises:
        InputError: the folder cannot be written.
    """
    types: dict[str, int] = {}  # every distinct token, numbered as they come
    digest = hashlib.sha256()
    place = Path(folder or ".")
    with writing(place), TemporaryFile(dir=folder) as file:
        count = _write(file, split_blocks(text, tokens), types, digest)
        border = count - min(int(count * held + 0.5), MOST_HELD) if isinstance(held, float) else count
        if not isinstance(held, float):
            count += _write(file, split_blocks(held, tokens), types, digest)
        digest.update(str(border).encode())
        numbers: Any = np.memmap(file, np.int32, "r+") if count else np.empty(0, np.int32)
    counts, held_counts = (_counted(part, len(types)) for part in (numbers[:border], numbers[border:]))
    ranked = dict(zip(types, counts.tolist(), strict=True))
    vocabulary = Vocabulary.of_counts(ranked, LEAST_COUNT[tokens], MOST_KNOWN[tokens])
    known = np.array(vocabulary.numbers(types), dtype=np.int32)
    learned = np.where((counts == 1) & (np.arange(len(types)) % 2 == 1), UNKNOWN, known).astype(np.int32)
    _replace(numbers[:border], learned)
    _replace(numbers[border:], known)
    occurring = [(token, n) for token, n in zip(types, held_counts.tolist(), strict=True) if n]
    return Corpus(
        tokens="word" if tokens == "word" else "char",
        training=numbers[:border],
        held=numbers[border:],
        vocabulary=vocabulary,
        held_characters=sum(len(token) * n for token, n in occurring),
        held_unknown={token: n for token, n in occurring if known[types[token]] == UNKNOWN},
        digest=digest.hexdigest(),
    )


def _write(file: IO[bytes], parts: Iterable[list[str]], types: dict[str, int], digest: Any) -> int:
    count = 0
    for part in parts:
        digest.update("".join(part).encode("utf-8", "surrogatepass"))
        np.array([types.setdefault(token, len(types)) for token in part], dtype=np.int32).tofile(file)
        count += len(part)
    file.flush()
    return count


def _counted(numbers: Numbers, types: int) -> NDArray[np.int64]:
    counts = np.zeros(types, np.int64)
    for first in range(0, len(numbers), BLOCK):
        counts += np.bincount(numbers[first : first + BLOCK], minlength=types)
    return counts


def _replace(numbers: Numbers, by: Numbers) -> None:
    for first in range(0, len(numbers), BLOCK):
        numbers[first : first + BLOCK] = by[numbers[first : first + BLOCK]]


def _refusal(path: str | Path, encoding: str) -> InputError:
    """Return what reading the file line by line says of it, which knows the place."""
    try:
        with open_input(path) as stream:
            for _ in decoded_lines(stream, str(path), encoding):
                pass
    except InputError as error:
        return error
    return InputError(f"{path}: expected {encoding} text that stays as it is, got other bytes")
