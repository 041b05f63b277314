"""Files with a series: which columns are taken, how dates and numbers are read, and the steps that they make."""

import functools
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from elman.runtime._forecaster.series import as_series
from elman.tasks._forecaster.files import find_columns, read_series
from fuzz.choices import Choices
from fuzz.rule import REFUSED, attempt

FORMS = (
    "%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d-%b-%y", "%B %d, %Y", "%m/%d/%Y %I:%M %p", "%a, %d %b %Y %H:%M:%S GMT",
    "%Y-%m-%dT%H:%M:%S+01:00", "%b %Y", "%m.%Y", "%Y%m%d",
)  # fmt: skip
STEPS = tuple(timedelta(hours=hours) for hours in (24, 1, 168, 730, 36))
PARTS = (
    "0", "1", "12", "31", "2019", "19", ".", ",", "/", "-", ":", " ", "€", "$", "%", "(", ")", "Jan", "MAY", "PM", "Q1",
    "Mon", "T", "Z", "+05:30", "−", "'", "\u202f", "NA", "", ";", "\t", "|", '"', "\n", "#", "sep=;\n", "\ufeff", "é",
)  # fmt: skip
DELIMITERS = (",", ";", "\t", "|")
NOTATION = {"dates": (None, "day-first", "month-first", "us"), "decimal": (None, "point", "comma", ".")}


@functools.cache
def place() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="fuzz-series-")


def some_times(choices: Choices) -> list[str]:
    form, step = choices.pick(FORMS), choices.pick(STEPS)
    first = datetime(1969, 1, 1) + timedelta(days=choices.number(40000))
    kept = [first + step * number for number in range(choices.number(40)) if not choices.chance(5)]
    return [moment.strftime(form) for moment in kept]


def run(data: bytes) -> None:
    choices = Choices(data)
    notation = {name: choices.pick(values) for name, values in NOTATION.items()}
    delimiter, times = choices.pick(DELIMITERS), some_times(choices)
    pattern = "".join(choices.pick(PARTS) for _ in range(choices.number(6)))
    rows = [f'"{time}"{delimiter}"{number}{pattern}"' for number, time in enumerate(times)]
    for _ in range(choices.number(4)):
        rows.insert(choices.number(len(rows) + 1), "".join(choices.pick(PARTS) for _ in range(choices.number(12))))
    path = Path(place().name, "series.csv")
    path.write_bytes("\n".join([f"date{delimiter}x", *rows]).encode() + choices.rest())
    columns = attempt(find_columns, path, None, (), ())
    series = REFUSED if columns is REFUSED else attempt(read_series, path, columns, **notation)
    if series is REFUSED:
        return
    assert series.values.shape[0] >= 1
    series.grid.check("series")
    assert series.grid.describe()
    labels = [series.grid.label(step) for step in range(min(len(series), 1000))]
    if columns.time is not None and len(labels) == len(series):  # what is written is read again, as the same steps
        again = attempt(as_series, ["x"], np.zeros((len(labels), 1)), labels, known=series.grid)
        assert again is REFUSED or series.grid.index_of(again.grid) == 0, f"{labels[0]!r}, then {again.grid!r}"


def seeds() -> dict[str, bytes]:
    """The first bytes: dates, decimal, delimiter, form, step, first day (2), how many; then which are kept."""

    def of(dates: int, decimal: int, delimiter: int, form: int, step: int, tail: bytes = b"") -> bytes:
        return bytes([dates, decimal, delimiter, form, step, 0, 70, 30]) + bytes(30) + tail

    return {
        "iso": of(0, 0, 0, 0, 0),
        "german": of(0, 0, 1, 1, 0, bytes([3, 7, 1, 12, 0])),
        "american": of(0, 0, 0, 2, 0, bytes([4, 7, 0, 0, 0, 0])),
        "hours": of(0, 1, 3, 5, 1),
        "months": of(1, 2, 2, 8, 3, bytes([2, 6, 1, 0])),
        "weekdays": bytes([0, 0, 0, 0, 0, 0, 70, 39]) + bytes([0, 0, 0, 0, 1, 1, 0] * 5),
        "odd row": of(0, 0, 0, 0, 0, bytes([0, 2, 5, 3, 0, 1, 2, 33, 4])),
    }
