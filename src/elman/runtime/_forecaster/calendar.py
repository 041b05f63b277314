"""Times: what a person writes, as steps of one length, and back."""

from __future__ import annotations

import re
from calendar import monthrange
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from math import gcd
from typing import Annotated, Literal

from elman._errors import InputError, shown
from elman._schema import Range

__all__ = ["Form", "TimeGrid", "find_grid", "on_grid", "parse_times"]

Form = Literal["integer", "compact date", "date", "datetime", "UTC datetime", "month", "quarter"]
Integer = Annotated[int, Range(-(2**53), 2**53)]

MINUTE, HOUR, DAY, WEEK, YEAR = 60, 3600, 86400, 604800, 31557600  # seconds; a year of 365.25 days
EPOCH = datetime(1970, 1, 1)
FORMS = "an integer, a year, YYYY-MM, YYYYQ1, YYYY-MM-DD, YYYYMMDD or YYYY-MM-DD HH:MM[:SS]"
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_INTEGER = re.compile(r"([+-]?\d{1,15})(?:\.0*)?")
_COMPACT = re.compile(r"(1[5-9]\d\d|2\d\d\d)(\d\d)(\d\d)")
_DATE = re.compile(r"(\d{4})[-/](\d\d?)[-/](\d\d?)(?:[T ]0?0:00(?::00(?:\.0*)?)?)?")
_DATETIME = re.compile(
    r"(\d{4})[-/](\d\d?)[-/](\d\d?)[T ](\d\d?):(\d\d)(?::(\d\d)(?:\.\d*)?)?(?: ?(Z|[+-]\d\d:?\d\d))?"
)
_MONTH = re.compile(r"(\d{4})(?:[-/ ]|-?M)(\d\d?|[A-Za-z]{3})")
_QUARTER = re.compile(r"(\d{4})[- ]?[Qq]([1-4])")


@dataclass(frozen=True)
class TimeGrid:
    """Times at one distance from one another.

    Attributes:
        unit: what they count in: ``second`` and ``month`` since 1970, or ``step``.
        step: units from one time to the next.
        first: the time of the first step.
        form: how a time is written.
        day: of the month, where months are counted; 31 is a month's last.
    """

    unit: Literal["step", "second", "month"] = "step"
    step: Annotated[int, Range(1, 2**53)] = 1
    first: Integer = 0
    form: Form = "integer"
    day: Annotated[int, Range(1, 31)] = 1

    def label(self, index: int) -> str:
        """Write the time of a step.

        Raises:
            InputError: it lies beyond the year 9999, or before the year 1.
        """
        value = self.first + self.step * index
        if self.form == "integer":
            return str(value)
        try:
            return _written(self._moment(value), self.form)
        except (OverflowError, ValueError):
            raise InputError(f"horizon: expected times within the years 1 to 9999, got step {index}") from None

    def starting(self, index: int) -> TimeGrid:
        """Return the grid whose first step is a step of this one."""
        return replace(self, first=self.first + self.step * index)

    def index_of(self, other: TimeGrid) -> int | None:
        """Return which step of this grid another one begins at; None where their steps do not coincide."""
        same = (self.unit, self.step) == (other.unit, other.step)
        away, rest = divmod(other.first - self.first, self.step)
        return away if same and not rest else None

    def cycles(self) -> list[float]:
        """Return the lengths, in steps, of the calendar's cycles that take more than two steps: day, week, year."""
        if self.unit == "step":
            return []
        periods = [12] if self.unit == "month" else [DAY, WEEK, YEAR]
        return [period / self.step for period in periods if period > 2 * self.step]

    def describe(self) -> str:
        """Say how long a step is."""
        names = {"second": [(WEEK, "week"), (DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"), (1, "second")]}
        names |= {"month": [(12, "year"), (3, "quarter"), (1, "month")], "step": [(1, "unit of the time column")]}
        length, name = next(pair for pair in names[self.unit] if self.step % pair[0] == 0)
        count = self.step // length
        if count == 1:
            return f"an {name}" if name == "hour" else f"a {name}"
        return f"{count} {name.replace('unit', 'units')}" if " " in name else f"{count} {name}s"

    def _moment(self, value: int) -> datetime:
        if self.unit == "second":
            return EPOCH + timedelta(seconds=value)
        year, month = 1970 + value // 12, value % 12 + 1
        return datetime(year, month, min(self.day, monthrange(year, month)[1]))


def parse_times(texts: Sequence[str], place: str, lines: Sequence[int] | None = None) -> tuple[Form, list[int]]:
    """Read times, all written in one form.

    Args:
        texts: as a person wrote them.
        place: what messages call the column.
        lines: of each, for messages; None: they are counted from 0.

    Returns:
        The form, and for each time an integer: seconds since 1970, months since 1970, or the integer itself.

    Raises:
        InputError: one is no time, or of another form than the first.
    """
    form: Form | None = None
    values: list[int] = []
    for number, text in enumerate(texts):
        found = _parsed(text.strip())
        where = f"{place}[{number}]" if lines is None else f"{place}, line {lines[number]}"
        if found is None:
            raise InputError(f"{where}: expected a time ({FORMS}), got {shown(text)}")
        form = _common_form(form, found[0], where, text)
        values.append(found[1])
    if form is None:
        raise InputError(f"{place}: expected times, got none")
    return form, values


def find_grid(form: Form, values: Sequence[int]) -> tuple[TimeGrid, list[int]]:
    """Find the steps of one length that sorted times lie on, or lie nearest to.

    Returns:
        The grid, and the step, from 0, of each time.
    """
    if form in ("date", "compact date") and (months := _months(values)):
        day, counted = months
        grid, steps = _regular(TimeGrid("month", form=form, day=day), counted)
        return grid, steps
    units: dict[Form, Literal["step", "month"]] = {"integer": "step", "month": "month", "quarter": "month"}
    return _regular(TimeGrid(units.get(form, "second"), form=form), values)


def on_grid(grid: TimeGrid, form: Form, values: Sequence[int]) -> tuple[TimeGrid, list[int]] | None:
    """Put sorted times onto the steps of a grid that is known; ``None`` where one lies between its steps.

    Returns:
        The grid, beginning with the first of them, and the step, from there, of each time.
    """
    of_dates = form in ("date", "compact date", "datetime", "UTC datetime")
    if grid.unit == "month" and of_dates:
        moments = [EPOCH + timedelta(seconds=value) for value in values]
        if any(m.day != min(grid.day, monthrange(m.year, m.month)[1]) for m in moments):
            return None
        values = [12 * (moment.year - 1970) + moment.month - 1 for moment in moments]
    elif of_dates != (grid.unit == "second") or (form == "integer") != (grid.unit == "step"):
        return None
    steps = [divmod(value - grid.first, grid.step) for value in values]
    if any(rest for _, rest in steps):
        return None
    begin = steps[0][0]
    return grid.starting(begin), [step - begin for step, _ in steps]


def _regular(grid: TimeGrid, values: Sequence[int]) -> tuple[TimeGrid, list[int]]:
    distances = Counter(b - a for a, b in pairwise(values) if b > a)
    if not distances:
        return replace(grid, first=values[0], step=1), [0] * len(values)
    common = max(distances, key=lambda distance: (distances[distance], -distance))
    whole = gcd(*distances)  # of all: where most distances are the same, but not multiples of one another
    step = common if common > 2 * whole or all(distance % common == 0 for distance in distances) else whole
    first = values[0]
    return replace(grid, first=first, step=step), [(2 * (value - first) + step) // (2 * step) for value in values]


def _months(values: Sequence[int]) -> tuple[int, list[int]] | None:
    """Return the day of the month and the months, where dates are of one day of each month, or of its last."""
    moments = [EPOCH + timedelta(seconds=value) for value in values]
    lengths = [monthrange(moment.year, moment.month)[1] for moment in moments]
    days = [moment.day for moment in moments]
    day = 31 if days == lengths else max(days)
    months = [12 * (moment.year - 1970) + moment.month - 1 for moment in moments]
    if len(set(months)) < 2 or days != [min(day, length) for length in lengths]:
        return None
    return day, months


def _common_form(form: Form | None, found: Form, where: str, text: str) -> Form:
    if form in (None, found):
        return found
    if {form, found} == {"date", "datetime"}:  # midnight was written without a time
        return "datetime"
    raise InputError(f"{where}: expected a time written as the first, as {form}, got {shown(text)}")


def _parsed(text: str) -> tuple[Form, int] | None:
    try:
        if found := _COMPACT.fullmatch(text):
            return "compact date", _seconds(*map(int, found.groups()))
        if found := _INTEGER.fullmatch(text):
            return "integer", int(found[1])
        if found := _DATE.fullmatch(text):
            return "date", _seconds(*map(int, found.groups()))
        if found := _QUARTER.fullmatch(text):
            return "quarter", 12 * (int(found[1]) - 1970) + 3 * (int(found[2]) - 1)
        if found := _MONTH.fullmatch(text):
            month = MONTHS.index(found[2].lower()) + 1 if found[2].isalpha() else int(found[2])
            return ("month", 12 * (int(found[1]) - 1970) + month - 1) if 1 <= month <= 12 else None
        return _parsed_datetime(text)
    except (ValueError, OverflowError):
        return None


def _parsed_datetime(text: str) -> tuple[Form, int] | None:
    found = _DATETIME.fullmatch(text)
    if not found:
        return None
    *numbers, zone = found.groups()
    seconds = _seconds(*(int(number or 0) for number in numbers))
    if zone is None:
        return "datetime", seconds
    digits = "+0000" if zone == "Z" else zone.replace(":", "")
    offset = int(digits[1:3]) * HOUR + int(digits[3:]) * MINUTE
    return "UTC datetime", seconds - offset if digits[0] == "+" else seconds + offset


def _seconds(year: int, month: int, day: int, *rest: int) -> int:
    hour, minute, second = rest or (0, 0, 0)
    moment = datetime(year, month, day, hour, minute, second) - EPOCH
    return moment.days * DAY + moment.seconds


def _written(moment: datetime, form: Form) -> str:
    date = f"{moment.year:04}-{moment.month:02}-{moment.day:02}"
    if form in ("datetime", "UTC datetime"):
        return f"{date} {moment:%H:%M:%S}" + ("Z" if form == "UTC datetime" else "")
    if form == "month":
        return date[:7]
    if form == "quarter":
        return f"{date[:4]}Q{(moment.month + 2) // 3}"
    return date if form == "date" else date.replace("-", "")
