"""Steps of one length, and the times at which they are."""

from __future__ import annotations

from bisect import bisect_right
from calendar import monthrange
from dataclasses import dataclass, field, replace
from datetime import date
from fractions import Fraction
from itertools import pairwise
from typing import Annotated, Literal

from elman._errors import InputError
from elman._schema import Range
from elman.runtime._forecaster.forms import DAY, EPOCH, HOUR, MINUTE, is_form, template, written
from elman.runtime._forecaster.weeks import WEEK, business_day, day_cycle, days_of, moment_of

__all__ = ["PERIODS", "TimeGrid"]

YEAR = 31557600  # seconds: 365.25 days
SAME_WEEKDAY = 364 * DAY  # clocks are changed on a Sunday of the same week of each year
PERIODS = {1: "month", 3: "quarter", 6: "half year", 12: "year", 120: "decade"}  # in months
GREATEST = 2**63

Integer = Annotated[int, Range(-GREATEST, GREATEST)]
Positive = Annotated[int, Range(1, GREATEST)]


@dataclass(frozen=True)
class TimeGrid:
    """Times at one distance from one another.

    Attributes:
        unit: what they count in: ``second`` and ``month`` since 1970, the times of a ``week`` since the first Monday of
            that year, or ``step``.
        step: units, or parts of them, from one time to the next.
        first: the time of the first step.
        form: how a time is written: see :mod:`elman.runtime._forecaster.forms`.
        day: of the month, where months are counted; 31 is a month's last.
        business: whether that is Monday to Friday: where it is none, the next such day, or of a month's last, the one
            before.
        parts: how many of what is counted make a second, or one; months are counted whole.
        time: of the day, in those parts, where months are counted.
        zone: the offsets of the clock that shows these times, in seconds east of Greenwich, each with the second of
            the clock from which it holds; the last is where the series ended. None: no zone is known.
        utc: whether the clock is that of Greenwich, and the zone only written.
        week: the times of a week, in those parts since Monday's midnight, where only they are counted.
    """

    unit: Literal["step", "second", "month", "week"] = "step"
    step: Positive = 1
    first: Integer = 0
    form: str = "integer"
    day: Annotated[int, Range(1, 31)] = 1
    parts: Positive = 1
    time: Annotated[int, Range(0, GREATEST)] = 0
    zone: list[list[Integer]] = field(default_factory=list)
    utc: bool = False
    week: list[Annotated[int, Range(0, GREATEST)]] = field(default_factory=list)
    business: bool = False

    def check(self, name: str) -> None:
        """Refuse, as an InputError, what no series has."""
        if not is_form(template(self.form)) or any(len(since) != 2 for since in self.zone):
            raise InputError(f"{name}: expected the form and the zone of a series' times, got others")
        in_order = self.week == sorted(set(self.week)) and all(offset < WEEK * self.parts for offset in self.week)
        if not in_order or (self.unit == "week") != bool(self.week):
            raise InputError(f"{name}: expected the times of a week in order, got others")

    @property
    def can_be_kept(self) -> bool:
        """Whether its numbers have the 63 bits that a model's file holds."""
        return max(abs(self.first), self.step, self.parts, self.time) < GREATEST

    def label(self, index: int) -> str:
        """Write the time of a step.

        Raises:
            InputError: it lies beyond the year 9999, or before the year 1.
        """
        try:
            shown, offset = self._shown(index)
            return written(self.form, shown, offset)
        except (OverflowError, ValueError):
            raise InputError(f"horizon: expected times within the years 1 to 9999, got step {index}") from None

    def starting(self, index: int) -> TimeGrid:
        """Return the grid whose first step is a step of this one."""
        return replace(self, first=self.first + self.step * index)

    def index_of(self, other: TimeGrid) -> int | None:
        """Return which step of this grid another one begins at; None where their steps do not coincide."""
        same = (self.unit, self.week) == (other.unit, other.week) and self.step * other.parts == other.step * self.parts
        away = Fraction(other.first, other.parts) - Fraction(self.first, self.parts)
        index = away / Fraction(self.step, self.parts)
        return int(index) if same and index.denominator == 1 else None

    def cycles(self) -> list[float]:
        """Return the lengths, in steps, of the calendar's cycles that take more than two steps: day, week, year.

        Steps shorter than a second have none: what they show is no matter of days.
        """
        if self.unit == "week":
            found = [day_cycle(self.week, self.parts), len(self.week), len(self.week) * YEAR / WEEK]
            return [float(cycle) for number, cycle in enumerate(found) if cycle > 2 and cycle not in found[:number]]
        if self.unit == "step" or self.step < self.parts:
            return []
        periods = [12] if self.unit == "month" else [DAY, WEEK, YEAR]
        return [period * self.parts / self.step for period in periods if period * self.parts > 2 * self.step]

    @property
    def is_of_days(self) -> bool:
        """Whether a day, of the clock that is written, has one step at most."""
        if self.unit == "week":
            return day_cycle(self.week, self.parts) == 1
        return self.unit == "month" or (self.unit == "second" and self.step % (DAY * self.parts) == 0)

    def describe(self) -> str:
        """Say how long a step is."""
        if self.unit == "week":
            return self._describe_week()
        if self.unit == "month" and self.step in PERIODS:
            return f"a {PERIODS[self.step]}"
        names = {"second": [(WEEK, "week"), (DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"), (1, "second")]}
        names |= {"month": [(12, "year"), (3, "quarter"), (1, "month")], "step": [(1, "")]}
        step = Fraction(self.step, self.parts)
        units = names[self.unit]
        length, name = next((pair for pair in units if step % pair[0] == 0), units[-1])
        if step == length and name:
            return f"an {name}" if name == "hour" else f"a {name}"
        count = f"{step / length}" if (step / length).denominator == 1 else f"{float(step / length):.6g}"
        return f"{count} {name}s" if name else count

    def _describe_week(self) -> str:
        days = days_of(self.week, self.parts)
        if self.is_of_days:
            return "a business day" if days == "Mon-Fri" else f"a day of {days}"
        day = DAY * self.parts
        lengths = {b - a for a, b in pairwise(self.week) if b // day == a // day}
        same = len(lengths) == 1 and day_cycle(self.week, self.parts) > 2
        length = TimeGrid("second", lengths.pop(), parts=self.parts).describe() if same else "a time of the day"
        return f"{length}, {len(self.week):,} a week of {days}"

    def offset(self, second: Fraction | int) -> int:
        """Return the zone's offset at a second of the clock; outside the series, that of the same week of its years."""
        if not self.zone:
            return 0
        begin, end = self.zone[0][0], self.zone[-1][0]
        years = max(0, -((end - second) // SAME_WEEKDAY)) if second > end else min(0, (second - begin) // SAME_WEEKDAY)
        inside = second - years * SAME_WEEKDAY
        second = inside if begin <= inside <= end else end if second > end else begin
        place = bisect_right([since for since, _ in self.zone], second) - 1
        return self.zone[max(0, place)][1]

    def _shown(self, index: int) -> tuple[Fraction, int]:
        """Return what the clock that is written shows at a step, and the offset of its zone."""
        value = self.first + self.step * index
        if self.unit == "step":
            return Fraction(value, self.parts), 0
        value = moment_of(value, self.week, self.parts) if self.unit == "week" else value
        clock = self._of_month(value) if self.unit == "month" else Fraction(value, self.parts)
        offset = self.offset(clock)
        greenwich = clock if self.utc else clock - offset
        return (greenwich + offset if "z" in template(self.form) else greenwich), offset

    def _of_month(self, value: int) -> Fraction:
        day = self.day_of_month(1970 + value // 12, value % 12 + 1)
        return (day.toordinal() - EPOCH) * DAY + Fraction(self.time, self.parts)

    def day_of_month(self, year: int, month: int) -> date:
        """Return the day of a month that a step of it is on."""
        day = date(year, month, min(self.day, monthrange(year, month)[1]))
        return business_day(day, forward=self.day < 31) if self.business else day
