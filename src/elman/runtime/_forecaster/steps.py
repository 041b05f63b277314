"""Which steps of one length times lie on: seconds and parts of them, or months, quarters, years and so on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor, gcd, lcm

from elman.runtime._forecaster.calendar import PERIODS, TimeGrid
from elman.runtime._forecaster.clocks import Clock, by_its_clock, clock_of, clocks_of
from elman.runtime._forecaster.forms import DAY, HOUR, MINUTE, grain, of_days
from elman.runtime._forecaster.placing import Day, Placed, day_of, is_on, placed, step_of_month
from elman.runtime._forecaster.times import Times, as_dates
from elman.runtime._forecaster.weeks import MONDAY, WEEK

__all__ = ["find_steps", "on_steps"]

MOST_BESIDE = 0.1  # of the times, beside steps of seconds: else months are tried
MOST_UNEVEN = 0.02  # of a step that is no number of days
LEAST_FILLED = 0.5  # of the months, quarters and so on, to be taken for such by a day that varies
LEAST_MONTHS, MOST_ABSENT = 12, 0.2  # the same of serial days and Unix time; absent also of the times of weeks
LEAST_WEEKS, LEAST_OF_WEEKS = 2, 0.25  # in all, and in which a time of the week is there
MANY_WEEKS, MOST_ABSENT_OF_MANY = 8, 0.5  # which tell times of the week from gaps, holidays of many weeks included
MOST_OF_WEEK, MOST_OFF_WEEK = 0.9, 0.01  # of its steps that are such times; of the rows at others
ROUND = {"second": (DAY, HOUR, MINUTE, 10), "step": (1000, 100, 10)}  # lengths preferred where times are inexact
SERIAL_DAYS = 10_000, 73_050  # 1927 to 2099
UNIX_TIMES = 10**8, 4_102_444_800  # seconds, 1973 to 2099; whole quarters of an hour


def find_steps(times: Times) -> Placed | None:
    """Find the steps of one length that sorted times lie on, or nearest to; ``None`` where there are none."""
    if times.are_numbers:
        return _of_numbers(times)
    clocks = [clock for clock in clocks_of(times) if clock.values == sorted(clock.values)]
    found = [dated for clock in clocks if (dated := _of_dates(clock))]
    return min(found, key=lambda dated: (dated.beside + dated.doubled, dated.absent), default=None)


def on_steps(grid: TimeGrid, times: Times) -> Placed | None:
    """Put sorted times onto the steps of a grid that is known; ``None`` where they do not lie on them.

    Returns:
        The steps, counted from the first that has a time; written as these times are, where that tells them apart.
    """
    if times.are_numbers and grid.unit != "step":
        read = (on_steps(grid, as_dates(times, form)) for form in _readings(times))
        return next((found for found in read if found), None)
    if times.are_numbers:
        clocks = [clock_of(times, times.values, "step")._replace(grid=grid)]
    elif grid.unit == "step" or (grid.unit != "month" and not of_days(times.form)):
        return None
    else:
        clocks = _clocks_of_steps(grid, times)
    found = [placed(clock.grid, clock.values, clock.parts) for clock in clocks if clock.values == sorted(clock.values)]
    best = min(found, key=lambda each: (each.beside, each.grid.form != times.form), default=None)
    return best if best and best.fits else None


def _clocks_of_steps(grid: TimeGrid, times: Times) -> list[Clock]:
    """Return the clocks by which times may be on the steps of a grid, which is written as they are where it can be."""
    values, written = by_its_clock(grid, times)
    clocks = [clock_of(times, values, "second")._replace(grid=written)]
    if grid.is_of_days:  # the days of a place, by its own clock
        for clock in clocks_of(times):
            own = replace(grid, form=times.form, zone=clock.grid.zone, utc=clock.grid.utc)
            clocks.append(clock._replace(grid=own))
    return [clock if _shows(times.form, grid) else clock._replace(grid=grid) for clock in clocks]


def _shows(form: str, grid: TimeGrid) -> bool:
    """Whether a form shows all of the steps of a grid, or as much of them as the grid's own form."""
    shortest = grain(form)
    if shortest <= grain(grid.form) or not of_days(form):
        return True
    parts = {"month": [grid.time], "week": grid.week}.get(grid.unit, [grid.step, grid.first])
    return not any(Fraction(part, grid.parts) % shortest for part in parts)


def _of_numbers(times: Times) -> Placed | None:
    clock = clock_of(times, times.values, "step")
    regular = _regular(clock)
    if not regular.beside:
        days = find_steps(as_dates(times, "%D")) if regular.absent and "%D" in _readings(times) else None
        return days if days and days.grid.unit == "week" else regular
    for form in _readings(times):
        dated = find_steps(as_dates(times, form))
        complete = dated and len(dated.steps) >= max(LEAST_MONTHS, dated.absent / MOST_ABSENT)
        if dated and dated.grid.unit == "month" and (complete or not dated.beside):
            return dated
        if dated and dated.grid.zone and not dated.beside:  # days where clocks are put forward in summer
            return dated
        if dated is None and form != "%D":
            return None
    return _nearest(clock, regular)


def _readings(numbers: Times) -> Iterator[str]:
    """Return as what numbers may be read that would make no steps of one length."""
    least, most = numbers.values[0], numbers.values[-1]
    if least >= SERIAL_DAYS[0] * numbers.parts and most <= SERIAL_DAYS[1] * numbers.parts:
        yield "%D"
    for power, form in ((0, "%s"), (3, "%3s"), (6, "%6s"), (9, "%9s")):
        second = numbers.parts * 10**power
        likely = UNIX_TIMES[0] * second <= max(abs(least), abs(most)) <= UNIX_TIMES[1] * second
        if likely and not any(value % (15 * MINUTE * second) for value in numbers.values):
            yield form


def _of_dates(clock: Clock) -> Placed | None:
    exact = _of_months(clock, exact=True)
    if exact or not of_days(clock.grid.form):
        return exact
    regular = _regular(clock)
    is_even = not regular.beside and not regular.absent
    if weeks := None if is_even else _of_weeks(clock):
        return weeks
    if regular.beside <= MOST_BESIDE * len(regular.steps) and not (regular.beside and regular.together):
        return _rounded(clock, regular)
    return _of_months(clock, exact=False) or _nearest(clock, regular)


def _of_months(clock: Clock, *, exact: bool) -> Placed | None:
    """Find months, quarters and so on: by the same day of all, or by one time in each."""
    days = [day_of(value, clock.parts) for value in clock.values]
    count = len(set(clock.values))
    usual = _usual_day(days)
    time = Counter(day.time for day in days).most_common(1)[0][0]
    grid = replace(clock.grid, unit="month", day=usual, parts=clock.parts, time=time)
    months = [day.month for day in days]
    if exact:
        if not of_days(grid.form) or (1 < count == len(set(months)) and all(map(is_on, days, [usual] * len(days)))):
            step, first = _step_of_months(months)
            return placed(replace(grid, step=step, first=first), clock.values, clock.parts)
        return None
    filled = {}
    for period in PERIODS:
        found = {month // period for month in months}
        if 3 <= count == len(found):
            filled[period] = len(found) / (max(found) - min(found) + 1)
    period = max(filled, key=filled.__getitem__, default=0)
    if not period or filled[period] < LEAST_FILLED:
        return None
    month = Counter(month % period for month in months).most_common(1)[0][0]
    first = months[0] // period * period + month
    grid = replace(grid, step=period, first=first)
    business = (replace(grid, day=day, business=True) for day in (1, 31))
    return min((placed(each, clock.values, clock.parts) for each in (grid, *business)), key=lambda each: each.beside)


def _of_weeks(clock: Clock) -> Placed | None:
    """Find the times of a week that there are, weekdays or the hours of a market, where many others never are."""
    step, week = _steps(clock.values)[-1], WEEK * clock.parts
    weeks = (clock.values[-1] - clock.values[0]) // week
    if weeks < LEAST_WEEKS or week % step:
        return None
    counts = Counter((value - MONDAY * clock.parts) % week for value in set(clock.values))
    usual = sorted(offset for offset, count in counts.items() if count >= LEAST_OF_WEEKS * weeks)
    if not 2 <= len(usual) <= MOST_OF_WEEK * (week // step):
        return None
    grid = replace(clock.grid, unit="week", week=usual, parts=clock.parts)
    found = placed(grid, clock.values, clock.parts)
    most_absent = MOST_ABSENT_OF_MANY if weeks >= MANY_WEEKS else MOST_ABSENT
    complete = found.absent <= most_absent * (found.steps[-1] + 1)
    return found if complete and found.beside <= MOST_OFF_WEEK * len(found.steps) else None


def _usual_day(days: Sequence[Day]) -> int:
    ends, greatest = sum(day.day == day.last for day in days), max(day.day for day in days)
    if ends < len(days) and all(is_on(day, greatest) for day in days):
        return greatest
    if 2 * ends > len(days):
        return 31
    [(day, count), *_] = Counter(sorted(day.day for day in days)).most_common()
    return day if 3 * count >= len(days) else sorted(day.day for day in days)[len(days) // 2]


def _step_of_months(months: Sequence[int]) -> tuple[int, int]:
    steps = _steps(months)
    for step in steps:
        first = months[0] + (_phase(months, step) - months[0]) % step
        first -= step if first > months[0] else 0
        beside = sum((month - first) % step != 0 for month in months)
        apart = len({step_of_month(month, first, step) for month in months}) == len(set(months))
        if apart and beside <= len(months) / 3:
            return step, first
    return steps[-1], months[0]


def _steps(values: Sequence[int]) -> list[int]:
    """Return the distance that is most common, and the greatest of which all distances are multiples."""
    distances = Counter(b - a for a, b in pairwise(values) if b > a)
    if not distances:
        return [1]
    common = max(distances, key=lambda distance: (distances[distance], -distance))
    whole = gcd(*distances)
    return [common, whole] if common > 2 * whole or all(d % common == 0 for d in distances) else [whole]


def _phase(values: Sequence[int], step: int) -> int:
    return Counter(value % step for value in values).most_common(1)[0][0]


def _regular(clock: Clock) -> Placed:
    """Put times onto steps of their most common distance."""
    step = _steps(clock.values)[0]
    return placed(replace(clock.grid, step=step, first=_phase(clock.values, step), parts=clock.parts), *clock[:2])


def _rounded(clock: Clock, regular: Placed) -> Placed:
    """Return steps of which the times are roundings, such as 60 a second to hundredths, if they are none too short."""
    if clock.parts > 1 and regular.absent > MOST_BESIDE * len(regular.steps):
        fitted = _fitted(clock)
        if fitted and not fitted.beside and not fitted.absent:
            return fitted
    return regular


def _nearest(clock: Clock, regular: Placed) -> Placed | None:
    """Return steps that times lie about: the most common distance where half keep it, else a mean distance."""
    if regular.fits and regular.beside <= len(regular.steps) / 2:
        return regular
    fitted = _fitted(clock)
    return fitted if fitted and fitted.fits else regular if regular.fits else None


def _fitted(clock: Clock) -> Placed | None:
    """Put times onto steps of the roundest length near their mean distance."""
    distances = [b - a for a, b in pairwise(clock.values)]
    common = Counter(distances).most_common(1)[0][0] if distances else 0
    if not common:
        return None
    near = [distance for distance in distances if common <= 2 * distance <= 3 * common]
    mean = Fraction(sum(near), len(near))
    places = [0]
    for distance in distances:
        places.append(places[-1] + floor(distance / mean + Fraction(1, 2)))
    if places[-1] == 0:
        return None
    mean = Fraction(clock.values[-1] - clock.values[0], places[-1])
    residues = sorted(value - mean * place for value, place in zip(clock.values, places, strict=True))
    spread = max(residues[-1] - residues[0], Fraction(1, 2)) / places[-1]
    step = _roundest((mean - spread) / clock.parts, (mean + spread) / clock.parts, clock.grid.unit)
    uneven = residues[-1] - residues[0] > MOST_UNEVEN * mean
    if step is None or (clock.grid.unit == "second" and uneven and step > DAY and step % DAY):  # such as half months
        return None
    phases = sorted(
        Fraction(value, clock.parts) - step * place for value, place in zip(clock.values, places, strict=True)
    )
    median, quarter = phases[len(phases) // 2], phases[len(phases) // 4]
    found = _placed_from(clock, step, median)
    if not found.beside and found.grid.can_be_kept:
        return found
    cut = 0 if found.beside else Fraction(1, clock.parts)  # that a rounder time has lost, such as a third's nanoseconds
    first = _roundest(quarter - cut, 2 * median - quarter + cut, clock.grid.unit)
    return _placed_from(clock, step, first) if first else found


def _placed_from(clock: Clock, step: Fraction, first: Fraction) -> Placed:
    parts = lcm(step.denominator, first.denominator)
    grid = replace(clock.grid, step=int(step * parts), first=int(first * parts), parts=parts)
    return placed(grid, clock.values, clock.parts)


def _roundest(least: Fraction, most: Fraction, unit: str) -> Fraction | None:
    """Return the roundest number between two, above zero: of days, hours, tens, or the simplest fraction."""
    for length in ROUND[unit]:
        multiple = ceil(least / length) * length
        if 0 < multiple <= most:
            return Fraction(multiple)
    return _simplest(least, most) if least > 0 else None


def _simplest(least: Fraction, most: Fraction) -> Fraction:
    whole = ceil(least)
    if whole <= most:
        return Fraction(whole)
    return whole - 1 + 1 / _simplest(1 / (most - whole + 1), 1 / (least - whole + 1))
