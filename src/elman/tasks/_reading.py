"""Tables of texts: CSV, TSV, JSON lines, or plain text with one text a line."""

import csv
import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from elman._errors import InputError, listed, one_line, option, shown
from elman.tasks._decoding import decoded_lines
from elman.tasks._delimiters import DELIMITERS, SPACE, find_table
from elman.tasks._other_formats import way_out

__all__ = ["TABLE", "Row", "file_format", "no_such_column", "open_input", "plain_lines", "read_table"]

SUFFIXES = {
    ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".txt": "text",
}  # fmt: skip

TABLE = "; a table in a .txt file is read once it is called .csv"


@dataclass(frozen=True)
class Row:
    """One record: the line it starts on, the values of the columns asked for, and the delimiter, if there is one."""

    line: int
    values: Mapping[str, str]
    delimiter: str = ""


def file_format(path: str | Path) -> str:
    """Return ``csv``, ``tsv``, ``jsonl`` or ``text``, by the file's suffix (``text`` if there is none).

    Raises:
        InputError: a suffix of none of these; or there is none, nor such a file.
    """
    suffix = Path(path).suffix.lower()
    if not suffix and (os.path.isdir(path) or not os.path.exists(path)):
        with open_input(path):  # which says what is there instead
            pass
    if suffix and suffix not in SUFFIXES:
        raise InputError(f"{path}: expected one of {', '.join(SUFFIXES)}, got {suffix}{way_out(path)}")
    return SUFFIXES.get(suffix, "text")


@contextmanager
def open_input(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file to be read as bytes.

    Raises:
        InputError: there is no such file, it is a folder, standard input (``-``), or it may not be read.
    """
    if str(path) == "-":
        raise InputError("-: expected a file, got standard input")
    try:
        stream = open(path, "rb")  # noqa: SIM115
    except FileNotFoundError:
        raise InputError(f"{path}: expected a file, there is none of that name") from None
    except IsADirectoryError:
        raise InputError(f"{path}: expected a file, got a folder") from None
    except PermissionError:
        raise InputError(f"{path}: expected a readable file, permission was denied") from None
    except (OSError, ValueError) as error:  # a name too long, a file in the place of a folder, a NUL
        raise InputError(f"{shown(str(path))}: expected a readable file, {one_line(error)}") from None
    with stream:
        yield stream


def read_table(
    stream: BinaryIO,
    name: str,
    format: str,
    columns: Sequence[str],
    encoding: str = "utf-8",
    *,
    others: bool = False,
    nullable: bool = False,
    options: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Row]:
    """Yield the rows of a CSV, TSV or JSON lines stream.

    Of a CSV and a TSV stream, the first lines show the delimiter: commas, semicolons, tabs, bars or spaces.

    Args:
        stream: what :func:`open_input` opened.
        name: what messages call the file.
        format: ``csv``, ``tsv`` or ``jsonl``.
        columns: the columns wanted.
        encoding: the file's encoding.
        others: whether to read all other columns too: of JSON lines, the keys of the first object.
        nullable: whether JSON's ``null`` is an empty field; else it is refused.
        options: by column, the option that names it, for who has not named one. A column called as its option is found
            in other letters' case too, if one alone is.

    Raises:
        InputError: whatever is wrong with the file; the message names the line and what was expected.
    """
    lines = decoded_lines(stream, name, encoding)
    if format == "jsonl":
        rows = _json_rows(lines, name, columns, others, nullable, options)
    else:
        rows = _separated_rows(lines, name, format, columns, others, options)
    empty = True
    for row in rows:
        empty = False
        yield row
    if empty:
        after = "" if format == "jsonl" else " after the header"
        raise InputError(f"{name}: expected rows{after}, there are none")


def plain_lines(stream: BinaryIO, name: str, encoding: str = "utf-8") -> Iterator[str]:
    """Yield the lines of a stream without their ends."""
    for line in decoded_lines(stream, name, encoding):
        yield line.rstrip("\n").removesuffix("\r")


def no_such_column(
    place: str, kind: str, column: str, known: Iterable[str], option_name: str | None = None
) -> InputError:
    """Return the refusal of a table without a column, or of an object without a key.

    Args:
        place: where it is not.
        kind: ``column`` or ``key``.
        column: what was looked for.
        known: what there is.
        option_name: the option by which a person says what to look for; None: they have said it.
    """
    have = listed(map(shown, known)) or "none"
    advice = f"; {option(option_name)} names another" if option_name else ""
    return InputError(f"{place}: expected a {kind} {column!r}, the {kind}s are {have}{advice}")


def _separated_rows(
    lines: Iterator[str], name: str, format: str, columns: Sequence[str], others: bool, options: Mapping[str, str]
) -> Iterator[Row]:
    csv.field_size_limit(sys.maxsize)
    lines, delimiter, skipped = find_table(lines, format)
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=delimiter == SPACE, strict=True)
    header: list[str] | None = None
    line = skipped + 1
    try:
        for fields in reader:
            if not fields:  # a blank line
                pass
            elif header is None:
                header = [field.strip() for field in fields]
                called = _called(columns, header, options, others)
                places = _column_places(header, f"{name}, line {line}", called, options)
            elif len(fields) != len(header):
                raise InputError(_ragged(name, line, delimiter, header, fields))
            else:
                yield Row(line, {column: fields[place] for column, place in places.items()}, delimiter)
            line = skipped + reader.line_num + 1
    except csv.Error as error:
        reason = str(error).replace("\t", "a tab")
        if "new-line character" in reason:
            reason = "a line that ends in \\r alone, as of an old Macintosh; save it with other line ends"
        raise InputError(f"{name}, line {line}: expected {format.upper()}, got: {reason}") from None
    if header is None:
        raise InputError(f"{name}: expected a header and rows, the file is empty")


def _called(columns: Sequence[str], names: Sequence[str], options: Mapping[str, str], others: bool) -> dict[str, str]:
    """Return what the columns wanted are called in a table, and with ``others`` all others too.

    Of those without a name only a single one: several are a sheet's margin.
    """
    called = {column: column for column in columns}
    for column in columns:
        if column == options.get(column) and column not in names:
            alike = [name for name in names if name.casefold() == column and name not in columns]
            called[column] = alike[0] if len(alike) == 1 else column
    if others:
        counts, wanted = Counter(names), {*called.values()}
        called |= {name: name for name in counts if name not in wanted and (name or counts[name] == 1)}
    return called


def _column_places(
    header: list[str], place: str, called: Mapping[str, str], options: Mapping[str, str]
) -> dict[str, int]:
    for column, name in called.items():
        if name not in header:
            raise no_such_column(place, "column", column, header, options.get(column))
        if header.count(name) > 1:
            raise InputError(f"{place}: expected one column {name!r}, got {header.count(name)}")
    return {column: header.index(name) for column, name in called.items()}


def _ragged(name: str, line: int, delimiter: str, header: list[str], fields: list[str]) -> str:
    separator = DELIMITERS.get(delimiter, repr(delimiter))
    advice = f"; a text with a {separator} in it stands in double quotes" if len(fields) > len(header) else ""
    return f"{name}, line {line}: expected {len(header)} fields ({listed(header)}), got {len(fields)}{advice}"


def _json_rows(
    lines: Iterator[str], name: str, columns: Sequence[str], others: bool, nullable: bool, options: Mapping[str, str]
) -> Iterator[Row]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:  # ValueError: an integer of more digits than Python reads
            at = f", column {error.colno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else ""
            raise InputError(f"{name}, line {number}{at or ':'} (expected a JSON object)") from None
        if not isinstance(record, dict):
            raise InputError(f"{name}, line {number}: expected a JSON object, got {type(record).__name__}")
        called = _called(columns, [*record], options, others)
        columns, others = [*called], False
        nulls = {column for column, key in called.items() if nullable and record.get(key, 0) is None}
        place = f"{name}, line {number}"
        for column, key in called.items():
            if key not in record:
                raise no_such_column(place, "key", column, record, options.get(column))
        values = {column: _json_text(record[key], place, key) for column, key in called.items() if column not in nulls}
        yield Row(number, values | dict.fromkeys(nulls, ""))


def _json_text(value: object, place: str, key: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InputError(f"{place}, key {key!r}: expected a text, got {json.dumps(value)[:40]}")
    # JSON can spell half of a surrogate pair, which is no character.
    text = str(value).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if "\0" in text:
        raise InputError(f"{place}, key {key!r}: expected a text, got a NUL character")
    return text
