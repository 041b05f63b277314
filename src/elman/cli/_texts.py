"""Texts that come in, from a file or while they are typed, and records that go out."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

__all__ = ["batches", "read_texts", "standard_input", "use_utf_8", "write_record"]

TEXTS_AT_ONCE = 1024


class _PromptLines:
    """The lines of a pipe or terminal, which says whether it has a line at hand without waiting."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.pending: list[bytes] = []
        self.rest = b""

    def __iter__(self) -> Iterator[bytes]:
        while True:
            while self.pending:
                yield self.pending.pop()
            block = os.read(self.descriptor, 1 << 16)
            *lines, self.rest = (self.rest + block).split(b"\n")
            self.pending = [line + b"\n" for line in reversed(lines)]
            if not block:
                if self.rest:
                    yield self.rest
                return

    def read(self, size: int = -1) -> bytes:
        return b"".join(self)

    def is_ready(self) -> bool:
        return bool(self.pending)


@contextmanager
def read_texts(file: str, column: str, encoding: str) -> Iterator[tuple[Iterator[str], Callable[[], bool]]]:
    """Open the texts of a file, one a line or a column of a table, or those of standard input (``-``).

    Returns:
        The texts, and whether another is at hand without waiting.

    Raises:
        InputError: the file is none of these.
    """
    from elman._errors import InputError
    from elman.tasks._reading import file_format, open_input, plain_lines, read_table

    if file == "-":
        if sys.stdin is None:
            raise InputError("standard input: expected an open one, it is closed")
        lines = _PromptLines(sys.stdin.fileno())
        yield plain_lines(cast(BinaryIO, lines), "standard input", encoding), lines.is_ready
        return
    format = file_format(file)
    with open_input(file) as stream:
        if format == "text":
            yield plain_lines(stream, file, encoding), lambda: True
        else:
            rows = read_table(stream, file, format, (column,), encoding, options={column: "text"})
            yield (row.values[column] for row in rows), lambda: True


def standard_input(encoding: str = "utf-8") -> str:
    """Return the whole text of standard input, without the end of its last line.

    Raises:
        InputError: it is closed, or in another encoding.
    """
    from elman._errors import InputError
    from elman.tasks._decoding import decoded_lines

    if sys.stdin is None:
        raise InputError("standard input: expected an open one, it is closed")
    return "".join(decoded_lines(sys.stdin.buffer, "standard input", encoding)).removesuffix("\n")


def batches(texts: Iterator[str], is_ready: Callable[[], bool]) -> Iterator[list[str]]:
    """Yield texts in batches: many of a file, and of a pipe what has come."""
    batch: list[str] = []
    try:
        for text in texts:
            batch.append(text)
            if len(batch) == TEXTS_AT_ONCE or not is_ready():
                yield batch
                batch = []
    except ValueError:  # what came before the bad line is not lost
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def use_utf_8() -> None:
    """Let standard output take Chinese labels whatever the locale."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure:
        reconfigure(encoding="utf-8")


def write_record(record: Mapping[str, Any]) -> None:
    """Print a line of JSON; what a person sees of a stranger's model may not command the terminal."""
    line = json.dumps(record, ensure_ascii=False)
    seen = sys.stdout.isatty()
    print("".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line) if seen else line)
