"""Series of numbers from a CSV, TSV or JSON lines file."""

import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from elman._errors import InputError, shown
from elman.runtime._forecaster.calendar import TimeGrid
from elman.runtime._forecaster.forms import MONTHS
from elman.runtime._forecaster.series import Series, as_series
from elman.tasks._forecaster.columns import SeriesColumns, choose_columns
from elman.tasks._numbers import check_decimal, read_numbers
from elman.tasks._reading import TABLE, Row, file_format, open_input, read_table

__all__ = ["BY_MONTHS", "SeriesColumns", "find_columns", "read_series"]

STANDARD_INPUT = "-"  # holds CSV
BY_MONTHS = "a table with a year a row: its months were put behind one another"
VALUE = "value"  # the target of a table with a year a row
LOOKED_AT = 1000  # rows, for which columns hold times and numbers


def find_columns(
    path: str | Path,
    time: str | None,
    targets: Sequence[str],
    covariates: Sequence[str],
    known: Sequence[str] = (),
    encoding: str = "utf-8",
) -> SeriesColumns:
    """Find what a person means by the columns named, or by naming none.

    Args:
        path: the file.
        time: the column of the times; ``none``: there is none, the rows are the steps; None: the only one that holds
            dates, or is called as times are, if there is one.
        targets: each a column or several with commas between; none: the only one of numbers that is left, or, in a
            table with a year a row, its months.
        covariates: further columns.
        known: further columns whose values are known ahead.
        encoding: the file's.

    Raises:
        InputError: there are no such columns, or it is not clear which.
    """
    content, name, format = _opened(path)
    rows = list(islice(_rows(content, name, format, encoding), LOOKED_AT))
    header = list(rows[0].values)
    if _is_by_months(header) and not (targets or covariates or known) and time in (None, header[0]):
        return SeriesColumns(header[0], (VALUE,))
    table = {column: [row.values.get(column, "") for row in rows] for column in header}
    return choose_columns(table, name, time, targets, covariates, known)


def read_series(
    path: str | Path,
    columns: SeriesColumns,
    encoding: str = "utf-8",
    known: TimeGrid | None = None,
    *,
    dates: str | None = None,
    decimal: str | None = None,
    like: str | None = None,
) -> Series:
    """Read a series: the rows by their times, on steps of one length; NaN where a value is missing.

    Args:
        path: the file; ``-``: standard input, CSV.
        columns: of :func:`find_columns`. A table with a year a row is read whatever they say.
        encoding: the file's.
        known: the grid of a model, for :func:`as_series`.
        dates: ``day-first``, ``month-first`` or ``year-first``, of dates such as 01/02/24; None: what they themselves
            say.
        decimal: ``point`` or ``comma``, what stands before decimals; None: what the numbers themselves say.
        like: the same of a model's own file, where they say nothing.

    Raises:
        InputError: whatever is wrong with the file; the message names line and column.
    """
    check_decimal(decimal)
    content, name, format = _opened(path)
    header = list(next(_rows(content, name, format, encoding)).values)
    by_months = _is_by_months(header) and columns.time in (None, header[0]) and len(columns.names) == 1
    time = header[0] if by_months else columns.time
    numbers = header[1:] if by_months else columns.names
    wanted = [*([] if time is None else [time]), *numbers]
    rows = [
        row
        for row in read_table(io.BytesIO(content), name, format, wanted, encoding, nullable=True)
        if time is None or any(text.strip() for text in row.values.values())  # as spreadsheets have below a table
    ]
    if not rows:
        raise InputError(f"{name}: expected rows after the header, there are none")
    lines = [row.line for row in rows]
    cells = {column: [row.values[column] for row in rows] for column in numbers}
    read = read_numbers(cells, lines, name, rows[0].delimiter, decimal, like)
    values, place = read.values, f"{name}, column {time!r}"
    times = None if time is None else [_time(row, time, name) for row in rows]
    notices = read.notices
    if by_months and times is not None:
        notices = [BY_MONTHS, *notices]
        times, lines = _by_months(times, lines, place), [line for line in lines for _ in MONTHS]
        values = values.reshape(-1, 1)
    series = as_series(columns.names, values, times, place, lines, known, dates)
    return replace(series, notices=[*notices, *series.notices], decimal=read.decimal)


def _opened(path: str | Path) -> tuple[bytes, str, str]:
    """Return a file's content, its name for messages, and its format."""
    if str(path) == STANDARD_INPUT:
        if sys.stdin is None:
            raise InputError("standard input: expected an open one, it is closed")
        return sys.stdin.buffer.read(), "standard input", "csv"
    format = file_format(path)
    if format == "text":
        raise InputError(f"{path}: expected a table with a series (.csv, .tsv or .jsonl), got plain text{TABLE}")
    with open_input(path) as stream:
        return stream.read(), str(path), format


def _rows(content: bytes, name: str, format: str, encoding: str) -> Iterator[Row]:
    """Yield the rows with all their columns."""
    return read_table(io.BytesIO(content), name, format, (), encoding, others=True, nullable=True)


def _time(row: Row, column: str, name: str) -> str:
    text = row.values[column]
    if not text.strip():
        place = f"{name}, line {row.line}, column {column!r}"
        raise InputError(f"{place}: expected a time, got an empty field; leave out rows without one, such as sums")
    return text


def _is_by_months(header: Sequence[str]) -> bool:
    """Whether a table has a year a row, and a column for each month."""
    return len(header) == 13 and [name.lower()[:3] for name in header[1:]] == list(MONTHS)


def _by_months(years: Sequence[str], lines: Sequence[int], place: str) -> list[str]:
    """Return the months of each year in turn."""
    for year, line in zip(years, lines, strict=True):
        if not (year.strip().isdecimal() and len(year.strip()) == 4):
            file, _, column = place.rpartition(", ")
            raise InputError(f"{file}, line {line}, {column}: expected a year, got {shown(year.strip())}")
    return [f"{year.strip()}-{month:02}" for year in years for month in range(1, 13)]
