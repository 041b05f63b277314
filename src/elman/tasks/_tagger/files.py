"""Sentences with tags from a file: columns as CoNLL-2003 has them, CoNLL-U, or JSON lines."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from elman._errors import InputError
from elman._schema import build, parse_json
from elman.tasks._decoding import decoded_lines
from elman.tasks._other_formats import WAYS_OUT, way_out
from elman.tasks._reading import no_such_column, open_input
from elman.tasks._tagger.columns import Columns

__all__ = ["Sentence", "read_sentences", "tagged_format"]

Notice = Callable[[str], None]

SUFFIXES = {".conllu": "conllu", ".jsonl": "jsonl", ".ndjson": "jsonl"}  # of others: columns
MOST_COMMENTS = 10_000  # lines looked at for one that shows the columns
OTHERS = {".csv", ".npz", ".ts", *WAYS_OUT}


@dataclass
class Sentence:
    """Tokens, their tags if they were asked for, and the line that each stands on."""

    tokens: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)

    def place(self, token: int) -> str:
        """Say where a token is in its file."""
        return f"line {self.lines[token]}" + (f", token {token + 1}" if len(set(self.lines)) < len(self.lines) else "")


def tagged_format(path: str | Path) -> str:
    """Return ``columns``, ``conllu`` or ``jsonl``, by the file's suffix.

    Raises:
        InputError: the suffix of something else.
    """
    suffix = Path(path).suffix.lower()
    if suffix in OTHERS:
        formats = f"columns (.conll, .txt, .tsv, …), {', '.join(SUFFIXES)}"
        raise InputError(f"{path}: expected {formats}, got {suffix}{way_out(path)}")
    return SUFFIXES.get(suffix, "columns")


def read_sentences(
    path: str | Path,
    token: str | None = None,
    tag: str | None = None,
    encoding: str = "utf-8",
    *,
    tagged: bool = True,
    notice: Notice | None = None,
) -> Iterator[Sentence]:
    """Yield the sentences of a file.

    Columns stand between spaces or tabs, a token a line, with a blank line between sentences; lines that begin with
    ``-DOCSTART-``, comments before a sentence, and a first line such as ``word tag`` are skipped. A line that begins
    with ``#`` is a comment if it has not as many columns as a token, or is like ``# text = …``. Of CoNLL-U, ranges of
    several words and empty nodes are skipped as well. Of JSON lines, each is an object with a list of tokens and one of
    tags.

    Args:
        path: the file; its suffix says what it is.
        token, tag: what the columns are called: numbers from 1, or from -1 backwards, or, where the first line is a
            header, or of CoNLL-U, names; of JSON lines, keys. ``None``: the first and the last, ``FORM`` and
            ``UPOS``, ``tokens`` and ``tags``.
        encoding: the file's encoding.
        tagged: whether to read tags.
        notice: told of a header that was not asked for.

    Raises:
        InputError: whatever is wrong with the file; the message names the line and what was expected.
    """
    format, name = tagged_format(path), str(path)
    if tagged and token is not None and token == tag:
        raise InputError(f"{path}: expected two columns, got {tag!r} for both the tokens and the tags")
    with open_input(path) as stream:
        lines = decoded_lines(stream, name, encoding)
        if format == "jsonl":
            sentences = _json_sentences(lines, name, token or "tokens", (tag or "tags") if tagged else None)
        else:
            sentences = _column_sentences(lines, Columns(name, format, token, tag, tagged), notice)
        found = False
        for sentence in sentences:
            found = True
            yield sentence
    if not found:
        raise InputError(f"{path}: expected sentences, there are none")


def _column_sentences(lines: Iterator[str], columns: Columns, notice: Notice | None) -> Iterator[Sentence]:
    numbered = _numbered(lines, columns.name)
    first = _first_lines(numbered)
    columns.begin([(number, line) for number, line in first if not _is_border(line)])
    if columns.header and not columns.is_named and notice:
        notice(f"{columns.name}, line {columns.header} names the columns and is taken for no token")
    sentence = Sentence()
    for number, line in chain(first, numbered):
        ends = _is_border(line)
        if ends and sentence.tokens:
            yield sentence
            sentence = Sentence()
        if ends or (not sentence.tokens and columns.is_comment(line)):
            continue
        values = columns.values(line, number)
        if values is None:
            continue
        sentence.tokens.append(values[0])
        sentence.tags += values[1:]
        sentence.lines.append(number)
    if sentence.tokens:
        yield sentence


def _numbered(lines: Iterator[str], name: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines, start=1):
        text = line.rstrip("\r\n")
        if "\r" in text:
            raise InputError(f"{name}, line {number}: expected lines that end in \\n or \\r\\n, got \\r within one")
        yield number, text


def _first_lines(lines: Iterator[tuple[int, str]]) -> list[tuple[int, str]]:
    """Return what comes before the first line that is surely a token's, and that line."""
    found: list[tuple[int, str]] = []
    for number, line in islice(lines, MOST_COMMENTS):
        found.append((number, line))
        if not _is_border(line) and not line.startswith("#"):
            break
    return found


def _is_border(line: str) -> bool:
    return not line.strip(" \t") or line.startswith("-DOCSTART-")


def _json_sentences(lines: Iterator[str], name: str, token: str, tag: str | None) -> Iterator[Sentence]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        place = f"{name}, line {number}"
        record = parse_json(line.encode("utf-8", "surrogatepass"), place)
        if not isinstance(record, dict):
            raise InputError(f"{place}: expected a JSON object, got {type(record).__name__}")
        tokens = _strings(record, token, place, "text")
        tags = _strings(record, tag, place, "label") if tag else []
        if tag and len(tags) != len(tokens):
            raise InputError(f"{place}, key {tag!r}: expected {len(tokens)}, as there are tokens, got {len(tags)}")
        yield Sentence(tokens, tags, [number] * len(tokens))


def _strings(record: dict[str, Any], key: str, place: str, option_name: str) -> list[str]:
    if key not in record:
        raise no_such_column(place, "key", key, record, option_name)
    strings = build(record[key], list[str], place, key)
    if not strings or not all(string.strip() for string in strings):
        got = "an empty one" if strings else "an empty list"
        raise InputError(f"{place}, key {key!r}: expected strings, got {got}")
    return strings
