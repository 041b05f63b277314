"""Sequences of numbers in a table with a row for each step."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from elman._errors import InputError, listed, shown
from elman.runtime._forecaster.times import read_times
from elman.tasks._classifiers.sequences import Sequences, parse_value
from elman.tasks._reading import Row, file_kind, open_input, read_table

__all__ = ["SequenceColumns", "read_sequence_table"]


@dataclass(frozen=True)
class SequenceColumns:
    """The columns of a table with a row for each step.

    Args:
        sequence: tells which sequence a row is of.
        label: the sequence's label, in each of its rows.
        time: what orders its rows; None: they are in order.
        channels: the numbers; empty: all other columns that begin with one.
    """

    sequence: str = "sequence"
    label: str = "label"
    time: str | None = None
    channels: tuple[str, ...] = ()


@dataclass
class _Sequence:
    line: int
    label: str
    times: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    steps: list[list[float]] = field(default_factory=list)


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
    name, keys = str(path), [columns.sequence, *([columns.label] if labelled else [])]
    keys += [columns.time] if columns.time else []
    channels = list(columns.channels)
    if len({*keys, *channels}) < len(keys) + len(channels):
        twice = listed(column for column, count in Counter([*keys, *channels]).items() if count > 1)
        raise InputError(f"{path}: expected each column once, as sequence, label, time or channel, got {twice} twice")
    sequences: dict[str, _Sequence] = {}
    with open_input(path) as stream:
        read = {"others": not channels, "nullable": True}
        for row in read_table(stream, name, file_kind(path), [*keys, *channels], encoding, **read):
            channels = channels or _channels(row, {*keys, columns.label}, name)
            label = row.values[columns.label].strip() if labelled else ""
            identifier = row.values[columns.sequence].strip()
            if not identifier:
                raise InputError(f"{_place(name, row, columns.sequence)}: expected what tells sequences apart, got ''")
            found = sequences.setdefault(identifier, _Sequence(row.line, label))
            if found.label != label or (labelled and not label):
                expected = f"the label {found.label!r}, as in line {found.line}" if found.label else "a label"
                raise InputError(f"{_place(name, row, columns.label)}: expected {expected}, got {shown(label)}")
            found.steps.append([_number(row, channel, name) for channel in channels])
            if columns.time:
                found.times.append(row.values[columns.time].strip())
                found.lines.append(row.line)
    values = [np.array(_ordered(found, f"{name}, column {columns.time!r}")) for found in sequences.values()]
    places = [f"{path}, line {found.line}" for found in sequences.values()]
    labels = [found.label for found in sequences.values()] if labelled else None
    return Sequences(values, labels, list(sequences), places, channels)


def _place(name: str, row: Row, column: str) -> str:
    return f"{name}, line {row.line}, column {column!r}"


def _channels(row: Row, keys: set[str], name: str) -> list[str]:
    """Return the columns that begin with a number, or with a missing one."""
    channels = [column for column in row.values if column not in keys and _is_number(row.values[column])]
    if not channels:
        raise InputError(
            f"{name}, line {row.line}: expected columns of numbers beside {', '.join(sorted(keys))}, got none"
        )
    return channels


def _is_number(text: str) -> bool:
    try:
        parse_value(text)
    except ValueError:
        return False
    return True


def _number(row: Row, column: str, name: str) -> float:
    try:
        return parse_value(row.values[column])
    except ValueError:
        got = shown(row.values[column])
        expected, advice = "expected a number, or nothing if missing", "--channel names the columns to read"
        raise InputError(f"{_place(name, row, column)}: {expected}, got {got}; {advice}") from None


def _ordered(sequence: _Sequence, place: str) -> list[list[float]]:
    """Return the steps by their times: numbers, or dates and what else :func:`read_times` reads."""
    if not sequence.times:
        return sequence.steps
    times = read_times(sequence.times, place, sequence.lines, "integer").instants
    return [sequence.steps[step] for step in sorted(range(len(times)), key=times.__getitem__)]
