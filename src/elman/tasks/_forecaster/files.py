"""Series of numbers from a CSV, TSV or JSON lines file."""

import io
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from elman._errors import InputError, listed, shown
from elman.runtime._forecaster.calendar import TimeGrid
from elman.runtime._forecaster.forms import MONTHS
from elman.runtime._forecaster.series import GREATEST, Series, as_series
from elman.tasks._reading import file_kind, open_input, read_table

__all__ = ["SeriesColumns", "find_columns", "read_series"]

MISSING = {"", "-", ".", "?", "na", "n/a", "nan", "null", "none"}
STANDARD_INPUT = "-"  # holds CSV
VALUE = "value"  # the target of a table with a year a row


@dataclass(frozen=True)
class SeriesColumns:
    """What the columns of a series' file are called.

    Attributes:
        time: the column of the times; None: the rows are the steps.
        targets: what is to be forecast.
        covariates: what is read beside it.
    """

    time: str | None
    targets: tuple[str, ...]
    covariates: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of numbers, the targets first."""
        return *self.targets, *self.covariates


def find_columns(
    path: str | Path, time: str | None, targets: Sequence[str], covariates: Sequence[str], encoding: str = "utf-8"
) -> SeriesColumns:
    """Find what a person means by the columns named, or by naming none.

    Args:
        path: the file.
        time: the column of the times, if there is one.
        targets: each a column or several with commas between; none: the only one that is left, or, in a table with a
            year a row, its months.
        covariates: further columns.
        encoding: the file's.

    Raises:
        InputError: there are no such columns, or it is not clear which.
    """
    header = _header(*_opened(path), encoding)
    if _is_by_months(header) and not targets and not covariates and time in (None, header[0]):
        return SeriesColumns(header[0], (VALUE,))
    chosen, further = _split(targets, header), _split(covariates, header)
    if not chosen:
        chosen = tuple(name for name in header if name != time and name not in further)
        if len(chosen) != 1:
            raise InputError(f"{path}: expected --target, one or more of the columns {listed(map(shown, header))}")
    names = [*([time] if time else []), *chosen, *further]
    if again := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"{path}: expected each column once, as time, target or covariate, got {again!r} twice")
    return SeriesColumns(time, chosen, further)


def read_series(
    path: str | Path, columns: SeriesColumns, encoding: str = "utf-8", known: TimeGrid | None = None
) -> Series:
    """Read a series: the rows by their times, on steps of one length; NaN where a value is missing.

    Args:
        path: the file; ``-``: standard input, CSV.
        columns: of :func:`find_columns`. A table with a year a row is read whatever they say.
        encoding: the file's.

    Raises:
        InputError: whatever is wrong with the file; the message names line and column.
    """
    content, name, kind = _opened(path)
    header = _header(content, name, kind, encoding)
    if _is_by_months(header) and columns.time in (None, header[0]) and len(columns.names) == 1:
        return _by_months(content, name, kind, header, columns, encoding)
    wanted = ([columns.time] if columns.time is not None else []) + list(columns.names)
    times, rows, lines = [], [], []
    for row in read_table(io.BytesIO(content), name, kind, wanted, encoding, nullable=True):
        rows.append([_number(row.values[column], name, row.line, column) for column in columns.names])
        times.append(row.values[columns.time] if columns.time is not None else "")
        lines.append(row.line)
    texts = times if columns.time is not None else None
    return as_series(columns.names, np.array(rows), texts, f"{name}, column {columns.time!r}", lines, known)


def _opened(path: str | Path) -> tuple[bytes, str, str]:
    """Return a file's content, its name for messages, and its kind."""
    if str(path) == STANDARD_INPUT:
        if sys.stdin is None:
            raise InputError("standard input: expected an open one, it is closed")
        return sys.stdin.buffer.read(), "standard input", "csv"
    kind = file_kind(path)
    if kind == "text":
        raise InputError(f"{path}: expected a table with a series (.csv, .tsv or .jsonl), got plain text")
    with open_input(path) as stream:
        return stream.read(), str(path), kind


def _header(content: bytes, name: str, kind: str, encoding: str) -> list[str]:
    """Return the names of all columns."""
    rows = read_table(io.BytesIO(content), name, kind, (), encoding, others=True, nullable=True)
    return list(next(rows).values)


def _is_by_months(header: Sequence[str]) -> bool:
    """Whether a table has a year a row, and a column for each month."""
    return len(header) == 13 and [name.lower()[:3] for name in header[1:]] == list(MONTHS)


def _by_months(
    content: bytes, name: str, kind: str, header: list[str], columns: SeriesColumns, encoding: str
) -> Series:
    times, rows, lines = [], [], []
    for row in read_table(io.BytesIO(content), name, kind, header, encoding, nullable=True):
        year = row.values[header[0]].strip()
        if not (year.isdecimal() and len(year) == 4):
            raise InputError(f"{name}, line {row.line}, column {header[0]!r}: expected a year, got {shown(year)}")
        for month, column in enumerate(header[1:], start=1):
            times.append(f"{year}-{month:02}")
            rows.append([_number(row.values[column], name, row.line, column)])
            lines.append(row.line)
    series = as_series(columns.names, np.array(rows), times, f"{name}, column {header[0]!r}", lines)
    return replace(
        series, notices=["a table with a year a row: its months were put behind one another", *series.notices]
    )


def _split(given: Sequence[str], header: Sequence[str]) -> tuple[str, ...]:
    parts: list[str] = []
    for text in given:
        parts += [text] if text in header else [part.strip() for part in text.split(",")]
    return tuple(parts)


def _number(text: str, name: str, line: int, column: str) -> float:
    text = text.strip()
    if text.lower() in MISSING:
        return math.nan
    try:
        value = float(text) if "_" not in text else math.inf
    except ValueError:
        value = math.inf
    if abs(value) <= GREATEST:
        return value
    raise InputError(f"{name}, line {line}, column {column!r}: expected a number, or nothing, got {shown(text)}")
