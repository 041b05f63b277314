"""The .ts files of time series archives (sktime, aeon).

Lines of ``#`` or ``%`` are comments; a header of lines ``@name value``; after ``@data`` an example a line: the
channels, by colons, each with its values, by commas, ``?`` where one is missing, then the label.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from elman._errors import InputError, listed, shown
from elman.tasks._classifiers.sequences import Sequences, parse_value
from elman.tasks._decoding import decoded_lines
from elman.tasks._reading import open_input

__all__ = ["read_ts"]

Lines = Iterator[tuple[int, str]]


def read_ts(path: str | Path, encoding: str = "utf-8") -> Sequences:
    """Read a .ts file.

    Raises:
        InputError: whatever is wrong with it; the message names the line, the channel and the value.
    """
    with open_input(path) as stream:
        lines = ((number, line.strip()) for number, line in enumerate(decoded_lines(stream, str(path), encoding), 1))
        sounding = ((number, line) for number, line in lines if line and line[0] not in "#%")
        header = _read_header(sounding, str(path))
        classes = _classes(header, str(path))
        values, labels, places = [], [], []
        for number, line in sounding:
            places.append(f"{path}, line {number}")
            *channels, label = line.split(":") if classes is not None else [*line.split(":"), ""]
            if classes and label.strip() not in classes:
                raise InputError(
                    f"{places[-1]}: expected a label of @classLabel ({listed(classes)}), got {shown(label)}"
                )
            labels.append(label.strip())
            values.append(_read_channels(channels, places[-1]))
            if values[-1].shape[1] != values[0].shape[1]:
                expected = f"{values[0].shape[1]} channels, as the first example has"
                raise InputError(f"{places[-1]}: expected {expected}, got {values[-1].shape[1]}")
    if not values:
        raise InputError(f"{path}: expected examples after @data, there are none")
    return Sequences(values, labels if classes is not None else None, list(range(1, len(values) + 1)), places)


def _read_header(lines: Lines, path: str) -> dict[str, list[str]]:
    header: dict[str, list[str]] = {}
    for number, line in lines:
        name, *values = line.split()
        if name.lower() == "@data":
            return header
        if not name.startswith("@"):
            raise InputError(f"{path}, line {number}: expected a line of the header (@…) or @data, got {shown(line)}")
        header[name.lower()] = values
    raise InputError(f"{path}: expected a line @data and examples after it, there is none")


def _classes(header: dict[str, list[str]], path: str) -> list[str] | None:
    """Return the labels that the header lists, maybe none; None: the examples have no labels."""
    if [word.lower() for word in header.get("@timestamps", ["false"])[:1]] != ["false"]:
        raise InputError(f"{path}: expected values without time stamps (@timeStamps false), got some with")
    if "@targetlabel" in header:
        raise InputError(f"{path}: expected labels of classes (@classLabel), got numbers to predict (@targetLabel)")
    says, *classes = header.get("@classlabel", ["true"]) or ["true"]
    return classes if says.lower() == "true" else None


def _read_channels(channels: list[str], place: str) -> NDArray[np.float64]:
    """Return the values, (steps, channels), of an example."""
    if not channels:
        raise InputError(f"{place}: expected values and a label with a colon between, got no colon")
    rows = [channel.split(",") for channel in channels]
    for number, row in enumerate(rows, start=1):
        if len(row) != len(rows[0]):
            raise InputError(
                f"{place}, channel {number}: expected {len(rows[0])} values as in channel 1, got {len(row)}"
            )
    values = np.empty((len(rows[0]), len(rows)))
    for channel, row in enumerate(rows):
        for step, text in enumerate(row):
            try:
                values[step, channel] = parse_value(text or "nothing")
            except ValueError:
                at = f"{place}, channel {channel + 1}, value {step + 1}"
                raise InputError(f"{at}: expected a number, or ? for a missing one, got {shown(text)}") from None
    return values
