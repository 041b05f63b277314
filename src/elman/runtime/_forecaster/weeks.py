"""Times that repeat from week to week: weekdays, the hours at which a market is open; and a month's business days."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import date, timedelta

from elman.runtime._forecaster.forms import DAY, WEEKDAYS

__all__ = ["MONDAY", "WEEK", "business_day", "day_cycle", "days_of", "moment_of", "nearest"]

WEEK, MONDAY = 7 * DAY, 4 * DAY  # seconds; the first Monday since 1970
FRIDAY = 4


def moment_of(count: int, week: Sequence[int], parts: int) -> int:
    """Return the parts of a second since 1970 at which the times of a week have come so often since MONDAY."""
    weeks, place = divmod(count, len(week))
    return (MONDAY + weeks * WEEK) * parts + week[place]


def nearest(moment: int, week: Sequence[int], parts: int) -> tuple[int, int]:
    """Return how often the times of a week have come by the one nearest to a moment, and how far that is."""
    weeks, offset = divmod(moment - MONDAY * parts, WEEK * parts)
    after = weeks * len(week) + bisect_left(week, offset)
    away = {count: abs(moment_of(count, week, parts) - moment) for count in (after - 1, after)}
    return min(away.items(), key=lambda pair: (pair[1], -pair[0]))


def day_cycle(week: Sequence[int], parts: int) -> int:
    """Return how many of the times are of each day that has any; 0 where days differ."""
    days = [offset // (DAY * parts) for offset in week]
    counts = {days.count(day) for day in days}
    return counts.pop() if len(counts) == 1 else 0


def days_of(week: Sequence[int], parts: int) -> str:
    """Return the names of the days that have times."""
    days = sorted({offset // (DAY * parts) for offset in week})
    together = len(days) > 2 and days == list(range(days[0], days[-1] + 1))
    names = [WEEKDAYS[day].title() for day in ((days[0], days[-1]) if together else days)]
    return ("-" if together else ", ").join(names)


def business_day(moment: date, *, forward: bool) -> date:
    """Return a day itself if it is Monday to Friday, else the next such day, or the last one before it."""
    beyond = max(0, moment.weekday() - FRIDAY)
    return moment + timedelta(days=(3 - beyond if forward else -beyond) if beyond else 0)
