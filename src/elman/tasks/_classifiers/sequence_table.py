"""Sequences of numbers in a table with a row for each step."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from elman._errors import InputError, listed, shown
from elman.runtime._arrays import Array
from elman.runtime._forecaster.times import read_times
from elman.tasks._classifiers.sequences import Sequences
from elman.tasks._numbers import check_decimal, looks_like_number, read_numbers
from elman.tasks._reading import Row, file_format, open_input, read_table

__all__ = ["SequenceColumns", "read_sequence_table"]

ADVICE = "--channel names the columns to read"


@dataclass(frozen=True)
class SequenceColumns:
    """The columns of a table with a row for each step.

    Args:
        sequence: tells which sequence a row is of.
        label: the sequence's label, in each of its rows.
        time: what orders its rows; None: they are in order.
        channels: the numbers; empty: all other columns that begin with one.
        dates: ``day-first``, ``month-first`` or ``year-first``, of times such as 01/02/24; None: what they themselves
            say.
        decimal: ``point`` or ``comma``, what stands before decimals; None: what the numbers themselves say.
        like: the same of a model's own file, where they say nothing.
    """

    sequence: str = "sequence"
    label: str = "label"
    time: str | None = None
    channels: tuple[str, ...] = ()
    dates: str | None = None
    decimal: str | None = None
    like: str | None = None


@dataclass
class _Sequence:
    line: int
    label: str
    rows: list[int] = field(default_factory=list)


def read_sequence_table(
    path: str | Path, columns: SequenceColumns, *, labelled: bool, encoding: str = "utf-8"
) -> Sequences:
    """Read a CSV, TSV or JSON lines file; the rows of a sequence need not lie together.

    Args:
        path: the file.
        columns: their names.
        labelled: whether to read labels.
        encoding: of the file.

    Raises:
        InputError: whatever is wrong with it; the message names the line and the column.
    """
    check_decimal(columns.decimal)
    name, keys = str(path), [columns.sequence, *([columns.label] if labelled else [])]
    keys += [columns.time] if columns.time else []
    channels = list(columns.channels)
    if len({*keys, *channels}) < len(keys) + len(channels):
        twice = listed(column for column, count in Counter([*keys, *channels]).items() if count > 1)
        raise InputError(f"{path}: expected each column once, as sequence, label, time or channel, got {twice} twice")
    sequences: dict[str, _Sequence] = {}
    texts: dict[str, list[str]] = {}
    times: list[str] = []
    lines: list[int] = []
    delimiter = ""
    with open_input(path) as stream:
        read: Any = {"others": not channels, "nullable": True, "options": {columns.label: "label"}}
        for row in read_table(stream, name, file_format(path), [*keys, *channels], encoding, **read):
            channels = channels or _channels(row, {*keys, columns.label}, name)
            label = row.values[columns.label].strip() if labelled else ""
            identifier = row.values[columns.sequence].strip()
            if not identifier:
                raise InputError(f"{_place(name, row, columns.sequence)}: expected what tells sequences apart, got ''")
            found = sequences.setdefault(identifier, _Sequence(row.line, label))
            if found.label != label or (labelled and not label):
                expected = f"the label {found.label!r}, as in line {found.line}" if found.label else "a label"
                raise InputError(f"{_place(name, row, columns.label)}: expected {expected}, got {shown(label)}")
            found.rows.append(len(lines))
            for channel in channels:
                texts.setdefault(channel, []).append(row.values[channel])
            times += [row.values[columns.time].strip()] if columns.time else []
            lines.append(row.line)
            delimiter = row.delimiter
    numbers = read_numbers(texts, lines, name, delimiter, columns.decimal, columns.like, ADVICE)
    instants = _instants(times, lines, columns, name)
    values = [_ordered(numbers.values, found.rows, instants) for found in sequences.values()]
    places = [f"{path}, line {found.line}" for found in sequences.values()]
    labels = [found.label for found in sequences.values()] if labelled else None
    return Sequences(values, labels, list(sequences), places, channels, numbers.decimal, numbers.notices)


def _place(name: str, row: Row, column: str) -> str:
    return f"{name}, line {row.line}, column {column!r}"


def _channels(row: Row, keys: set[str], name: str) -> list[str]:
    """Return the columns that begin with a number, or with a missing one."""
    channels = [column for column in row.values if column not in keys and looks_like_number(row.values[column])]
    if not channels:
        raise InputError(
            f"{name}, line {row.line}: expected columns of numbers beside {', '.join(sorted(keys))}, got none"
        )
    return channels


def _instants(times: Sequence[str], lines: Sequence[int], columns: SequenceColumns, name: str) -> list[int]:
    """Return what orders the rows: numbers, or dates and what else :func:`read_times` reads."""
    if not times:
        return []
    return read_times(times, f"{name}, column {columns.time!r}", lines, "integer", columns.dates).instants


def _ordered(values: Array, rows: Sequence[int], instants: Sequence[int]) -> Array:
    return np.array(values[sorted(rows, key=instants.__getitem__) if instants else list(rows)])
