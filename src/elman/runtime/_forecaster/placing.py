"""Times put onto the steps of a grid."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from itertools import pairwise
from math import lcm
from typing import NamedTuple

from elman.runtime._forecaster.calendar import PERIODS, TimeGrid
from elman.runtime._forecaster.forms import DAY, EPOCH, of_days
from elman.runtime._forecaster.weeks import nearest

__all__ = ["Day", "Placed", "day_of", "is_on", "placed", "step_of_month"]

MOST_FAR, MOST_TOGETHER = 0.2, 0.01  # of the times: by more than a quarter of a step, on a step of another


@dataclass(frozen=True)
class Placed:
    """Sorted times on steps.

    Attributes:
        grid: the steps, from the first that has a time.
        steps: the step, from 0, of each time.
        beside: how many times the step's own differs from.
        far: how many by more than a quarter of a step.
        together: how many fall on a step that has another time already.
    """

    grid: TimeGrid
    steps: list[int]
    beside: int
    far: int
    together: int

    @property
    def fits(self) -> bool:
        return self.far <= MOST_FAR * len(self.steps) and self.together <= MOST_TOGETHER * len(self.steps)

    @property
    def absent(self) -> int:
        """Steps without a time."""
        return self.steps[-1] + 1 - len(set(self.steps))

    @property
    def doubled(self) -> int:
        """Times on a step that has one already."""
        return len(self.steps) - len(set(self.steps))


class Day(NamedTuple):
    date: date
    last: int  # of the month
    time: int

    @property
    def month(self) -> int:
        """Since 1970."""
        return 12 * (self.date.year - 1970) + self.date.month - 1

    @property
    def day(self) -> int:
        return self.date.day


def placed(grid: TimeGrid, values: Sequence[int], parts: int) -> Placed:
    """Put sorted times onto the steps of a grid, whose first is any of them."""
    if grid.unit == "month":
        return _placed_by_months(grid, values, parts)
    if grid.unit == "week":
        return _placed_by_weeks(grid, values, parts)
    both = lcm(parts, grid.parts)
    scale, step, first = both // parts, grid.step * (both // grid.parts), grid.first * (both // grid.parts)
    steps = [(2 * (value * scale - first) + step) // (2 * step) for value in values]
    away = [abs(value * scale - first - step * place) for value, place in zip(values, steps, strict=True)]
    least = scale if step % scale else 0  # times written in less than a step's digits
    return _from_first(grid, steps, values, sum(a > least for a in away), sum(4 * a > step for a in away))


def _placed_by_months(grid: TimeGrid, values: Sequence[int], parts: int) -> Placed:
    days = [day_of(value, parts) for value in values]
    steps = [step_of_month(day.month, grid.first, grid.step) for day in days]
    beside, time = 0, Fraction(grid.time, grid.parts)
    for day, step in zip(days, steps, strict=True):
        usual = day.date == grid.day_of_month(day.date.year, day.date.month)
        same_day = not of_days(grid.form) or (usual and Fraction(day.time, parts) == time)
        beside += day.month != grid.first + grid.step * step or not same_day
    return _from_first(grid, steps, values, beside, 0)


def _placed_by_weeks(grid: TimeGrid, values: Sequence[int], parts: int) -> Placed:
    both = lcm(parts, grid.parts)
    week = [offset * (both // grid.parts) for offset in grid.week]
    found = [nearest(value * (both // parts), week, both) for value in values]
    beside = sum(away != 0 for _, away in found)
    return _from_first(grid, [count - grid.first for count, _ in found], values, beside, beside)


def _from_first(grid: TimeGrid, steps: list[int], values: Sequence[int], beside: int, far: int) -> Placed:
    together = sum(a == b and v != w for (a, b), (v, w) in zip(pairwise(steps), pairwise(values), strict=True))
    begin = steps[0]
    return Placed(grid.starting(begin), [step - begin for step in steps], beside, far, together)


def day_of(value: int, parts: int) -> Day:
    days, time = divmod(value, DAY * parts)
    moment = date.fromordinal(EPOCH + days)
    return Day(moment, monthrange(moment.year, moment.month)[1], time)


def is_on(day: Day, usual: int) -> bool:
    return day.day == min(usual, day.last)


def step_of_month(month: int, first: int, step: int) -> int:
    if step in PERIODS:  # the month may vary within a quarter or a year
        return month // step - first // step
    return (2 * (month - first) + step) // (2 * step)
