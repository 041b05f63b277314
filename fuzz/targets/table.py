"""Tables and plain texts: CSV, TSV, JSON lines and lines, in any encoding that Python knows."""

import functools
import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from elman.tasks._classifiers.text_file import read_examples
from elman.tasks._reading import file_format, plain_lines, read_table
from fuzz.choices import Choices
from fuzz.rule import REFUSED, attempt

FORMATS = ("csv", "tsv", "jsonl", "text")
COLUMNS = (("text", "label"), ("label",), ("text",), ("",), ("文",))
ENCODINGS = (
    "utf-8", "gb18030", "latin-1", "utf-16", "utf-8-sig", "ascii", "gbk", "utf-16-le", "utf-32", "utf-7", "big5",
    "shift_jis", "iso2022_jp", "hz", "cp037", "cp1252", "idna", "punycode", "unicode_escape", "raw_unicode_escape",
    "undefined", "hex", "rot13", "base64", "zlib", "bz2", "mbcs", "oem", "", "\0", "utf 8", "UTF8", "ut\nf8",
    "x" * 2000,
)  # fmt: skip


NO_TEXT = ENCODINGS[ENCODINGS.index("undefined") :]
HEADERS = {"csv": "text,label\n", "tsv": "label\ttext\n", "jsonl": '{"text": "a", "label": 1}\n', "text": ""}


@functools.cache
def place() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="fuzz-table-")


def reader(content: bytes, format: str, columns: tuple[str, ...], encoding: str) -> Callable[[], list[Any]]:
    stream = io.BytesIO(content)
    if format == "text":
        return lambda: list(plain_lines(stream, "file", encoding))
    return lambda: list(read_table(stream, "file", format, columns, encoding))


def run(data: bytes) -> None:
    choices = Choices(data)
    format, columns, encoding = choices.pick(FORMATS), choices.pick(COLUMNS), choices.pick(ENCODINGS)
    header = HEADERS[format] if choices.chance() else ""
    content = (b"" if encoding in NO_TEXT else header.encode(encoding)) + choices.rest()
    attempt(reader(content, format, columns, encoding))
    suffix = "txt" if format == "text" else format
    path = Path(place().name, f"file.{suffix}")
    assert file_format(path) == format
    path.write_bytes(content)
    examples = attempt(read_examples, path, "text", "label", encoding)
    if examples is not REFUSED:
        assert len(examples.texts) == len(examples.labels) == len(examples.lines) > 0
        assert all(text.strip() and "\0" not in text for text in (*examples.texts, *examples.labels))
    same_in_all_encodings(content, format, columns)


def same_in_all_encodings(content: bytes, format: str, columns: tuple[str, ...]) -> None:
    """What is written in UTF-8 reads as the same text in UTF-16."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return
    if "\ufeff" in text[:2]:
        return
    first, second = (
        attempt(reader(text.encode(encoding), format, columns, encoding)) for encoding in ("utf-8", "utf-16")
    )
    assert first == second or first is second is REFUSED, f"utf-8: {first!r:.300}, utf-16: {second!r:.300}"


def seeds() -> dict[str, bytes]:
    csv = 'text,label\n"a, ""b""\nc",x\r\n我爱你,y\n\n'
    lines = '{"text": "a\\u00e9", "label": 1}\n\n{"label": "y", "text": 2.5, "x": null}\n'
    return {
        "csv": b"\0\0\0\0" + csv.encode(),
        "csv_gb18030": b"\0\0\1\0" + csv.encode("gb18030"),
        "csv_utf16": b"\0\0\3\0" + csv.encode("utf-16"),
        "csv_bom": b"\0\2\0\0" + csv.encode("utf-8-sig"),
        "csv_gbk_as_utf8": b"\0\1\0\0" + csv.encode("gbk"),
        "csv_spaces": b"\0\0\0\0" + '# by week\n text   label\n"a b" x\n我  y\n'.encode(),
        "tsv": b"\1\0\0\0" + csv.replace(",", "\t").encode(),
        "tsv_ragged": b"\1\0\2\0" + b"text\tlabel\nx\ty\tz\n",
        "jsonl": b"\2\0\0\0" + lines.encode(),
        "jsonl_surrogate": b"\2\0\0\0" + b'{"text": "\\ud800", "label": "a"}\n',
        "jsonl_no_object": b"\2\1\0\0" + b"[1, 2]\n",
        "csv_rows": b"\0\0\0\1" + b'a,"b\nc"\nd,e',
        "jsonl_rows": b"\2\0\0\1" + b'{"label": 1e999, "text": "\\ud83d\\ude00"}',
        "text": b"\3\0\0\0" + "a\r\nb\n\n我".encode(),
        "text_utf32": b"\3\0\x08\0" + "a\nb\n".encode("utf-32"),
        "text_utf7": b"\3\0\x09\0" + "é\nb\n".encode("utf-7"),
    }
