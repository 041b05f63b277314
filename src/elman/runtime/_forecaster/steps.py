"""Which steps of one length times lie on: seconds and parts of them, or months, quarters, years and so on."""

from __future__ import annotations

from calendar import monthrange
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor, gcd, lcm
from typing import Literal, NamedTuple

from elman.runtime._forecaster.calendar import PERIODS, TimeGrid
from elman.runtime._forecaster.forms import DAY, EPOCH, HOUR, MINUTE, grain, has_zone, of_days, template
from elman.runtime._forecaster.times import Times, as_dates

__all__ = ["Placed", "find_steps", "on_steps"]

MOST_BESIDE, MOST_FAR, MOST_TOGETHER = 0.1, 0.2, 0.01  # of the times: beside steps, by a quarter of one, two on one
LEAST_FILLED = 0.5  # of the months, quarters and so on, to be taken for such by a day that varies
LEAST_MONTHS = 12  # the same of serial days and Unix time
MOST_TURNS = 2  # of a clock in a year
FINEST = 10**9  # parts of a second, or of one, that are told apart
ROUND = {"second": (DAY, HOUR, MINUTE, 10), "step": (1000, 100, 10)}  # lengths preferred where times are inexact
SERIAL_DAYS = 10_000, 73_050  # 1927 to 2099
UNIX_TIMES = 10**8, 4_102_444_800  # seconds, 1973 to 2099; whole quarters of an hour


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


class _Clock(NamedTuple):
    """What a clock shows: in the times' own zone, in Greenwich, or in one that is not written."""

    values: list[int]
    parts: int
    grid: TimeGrid  # with its form and zone, and no steps yet


class _Day(NamedTuple):
    month: int  # since 1970
    day: int
    last: int  # of the month
    time: int


def find_steps(times: Times) -> Placed | None:
    """Find the steps of one length that sorted times lie on, or nearest to; ``None`` where there are none."""
    if times.are_numbers:
        return _of_numbers(times)
    found = [placed for clock in _clocks(times) if _goes_on(clock.values) and (placed := _of_dates(clock))]
    return min(found, key=lambda placed: (placed.beside + placed.doubled, placed.absent), default=None)


def on_steps(grid: TimeGrid, times: Times) -> Placed | None:
    """Put sorted times onto the steps of a grid that is known; ``None`` where they do not lie on them.

    Returns:
        The steps, counted from the first that has a time; written as these times are, where that tells them apart.
    """
    if times.are_numbers != (grid.unit == "step") or (grid.unit == "second" and not of_days(times.form)):
        return None
    values, written = _by_its_clock(grid, times)
    if times.are_numbers or grain(times.form) > grain(grid.form):
        written = grid
    placed = _placed(written, values, times.parts) if _goes_on(values) else None
    return placed if placed and placed.fits else None


def _goes_on(values: Sequence[int]) -> bool:
    """Whether a clock is never put back."""
    return all(a <= b for a, b in pairwise(values))


def _by_its_clock(grid: TimeGrid, times: Times) -> tuple[list[int], TimeGrid]:
    """Return what the clock of a grid shows at some times, and the grid written as they are."""
    written = replace(grid, form=times.form)
    shown, shows = "z" in template(grid.form), "z" in template(times.form)
    if not times.offsets and (shown or not grid.zone):
        return times.values, replace(written, zone=[], utc=False)
    if not grid.zone and not has_zone(grid.form):
        return times.values, replace(written, zone=_zone(times.values, times.offsets, times.parts))
    same = {offset for _, offset in grid.zone} if shown and not grid.utc else set()
    offsets = [] if grid.utc else [
        own if own in same else grid.offset(Fraction(value, times.parts))
        for own, value in zip(times.offsets or [0] * len(times.values), times.instants, strict=True)
    ]  # fmt: skip
    values = [v + o * times.parts for v, o in zip(times.instants, offsets or [0] * len(times.values), strict=True)]
    return values, written if shown == shows else grid


def _of_numbers(times: Times) -> Placed | None:
    clock = _clock(times, times.values, "step")
    placed = _regular(clock)
    if not placed.beside:
        return placed
    for form in _readings(times):
        dated = find_steps(as_dates(times, form))
        complete = dated and not dated.absent and len(dated.steps) >= LEAST_MONTHS
        if dated and dated.grid.unit == "month" and (complete or not dated.beside):
            return dated
    return _nearest(clock, placed)


def _readings(numbers: Times) -> Iterator[str]:
    """Return as what numbers may be read that would make no steps of one length."""
    least, most = numbers.values[0], numbers.values[-1]
    if least >= SERIAL_DAYS[0] * numbers.parts and most <= SERIAL_DAYS[1] * numbers.parts:
        yield "%D"
    for power, form in ((0, "%s"), (3, "%3s"), (6, "%6s"), (9, "%9s")):
        second = numbers.parts * 10**power
        likely = abs(least) <= UNIX_TIMES[1] * second and UNIX_TIMES[0] * second <= most <= UNIX_TIMES[1] * second
        if likely and not any(value % (15 * MINUTE * second) for value in numbers.values):
            yield form


def _clocks(times: Times) -> Iterator[_Clock]:
    """Return by which clocks times may be regular: their own, Greenwich's, one that is put forward in summer."""
    offsets = times.offsets
    own = _clock(times, times.values, "second")
    yield own._replace(grid=replace(own.grid, zone=_zone(times.values, offsets, times.parts)))
    if len(set(offsets)) > 1:
        greenwich = _clock(times, times.instants, "second")
        zone = _zone(times.instants, offsets, times.parts)
        yield greenwich._replace(grid=replace(greenwich.grid, zone=zone, utc=True))
    elif not any(offsets) and (shifts := _summer(own.values, own.parts)):
        values = [value + shift * own.parts for value, shift in zip(own.values, shifts, strict=True)]
        form = template(times.form).replace("%z", "+0000").replace("%:z", "+00:00").replace("%_z", "+00")
        yield own._replace(values=values, grid=replace(own.grid, zone=_zone(values, shifts, own.parts), form=form))


def _clock(times: Times, values: list[int], unit: Literal["step", "second"]) -> _Clock:
    common = gcd(times.parts, *values)
    values, parts = [value // common for value in values], times.parts // common
    if parts > FINEST:
        values, parts = [value * FINEST // parts for value in values], FINEST
    return _Clock(values, parts, TimeGrid(unit, form=times.form))


def _summer(values: Sequence[int], parts: int) -> list[int]:
    """Return the seconds that times of two hours of the day, turn by turn a season, lie before the usual one."""
    hours = Counter(value % (DAY * parts) for value in values)
    if len(hours) != 2 or (max(hours) - min(hours)) not in (HOUR * parts, (DAY - HOUR) * parts):
        return []
    usual, other = (hour for hour, _ in hours.most_common())
    late = HOUR if (usual - other) % (DAY * parts) == HOUR * parts else -HOUR
    shifts = [0 if value % (DAY * parts) == usual else late for value in values]
    turns, years = sum(a != b for a, b in pairwise(shifts)), (values[-1] - values[0]) / (365 * DAY * parts)
    return shifts if turns <= MOST_TURNS * (2 + years) else []


def _zone(values: Sequence[int], offsets: Sequence[int], parts: int) -> list[list[int]]:
    """Return the offsets of the last two years, and from when each held."""
    if not any(offsets):
        return []
    turns = [[value // parts, offset] for value, offset in zip(values, offsets, strict=True)]
    zone = [turns[0], *(b for a, b in pairwise(turns) if a[1] != b[1])]
    if len(zone) > MOST_TURNS * (2 + (turns[-1][0] - turns[0][0]) / (365 * DAY)):
        return [turns[-1]]  # not clocks put forward and back, but rows of several zones
    recent = [since for since, _ in zone if since <= turns[-1][0] - 2 * 366 * DAY]
    return [*zone[max(0, len(recent) - 1) :], *([turns[-1]] if len(zone) > 1 else [])]


def _of_dates(clock: _Clock) -> Placed | None:
    exact = _of_months(clock, exact=True)
    if exact or not of_days(clock.grid.form):
        return exact
    regular = _regular(clock)
    if regular.beside <= MOST_BESIDE * len(regular.steps) and not (regular.beside and regular.together):
        return _rounded(clock, regular)
    return _of_months(clock, exact=False) or _nearest(clock, regular)


def _of_months(clock: _Clock, *, exact: bool) -> Placed | None:
    """Find months, quarters and so on: by the same day of all, or by one time in each."""
    days = [_day(value, clock.parts) for value in clock.values]
    count = len(set(clock.values))
    usual = _usual_day(days)
    time = Counter(day.time for day in days).most_common(1)[0][0]
    grid = replace(clock.grid, unit="month", day=usual, parts=clock.parts, time=time)
    months = [day.month for day in days]
    if exact:
        if not of_days(grid.form) or (1 < count == len(set(months)) and all(map(_is_on, days, [usual] * len(days)))):
            step, first = _step_of_months(months)
            return _placed(replace(grid, step=step, first=first), clock.values, clock.parts)
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
    return _placed(replace(grid, step=period, first=first), clock.values, clock.parts)


def _day(value: int, parts: int) -> _Day:
    days, time = divmod(value, DAY * parts)
    moment = date.fromordinal(EPOCH + days)
    return _Day(
        12 * (moment.year - 1970) + moment.month - 1, moment.day, monthrange(moment.year, moment.month)[1], time
    )


def _usual_day(days: Sequence[_Day]) -> int:
    ends, greatest = sum(day.day == day.last for day in days), max(day.day for day in days)
    if ends < len(days) and all(_is_on(day, greatest) for day in days):
        return greatest
    if 2 * ends > len(days):
        return 31
    [(day, count), *_] = Counter(sorted(day.day for day in days)).most_common()
    return day if 3 * count >= len(days) else sorted(day.day for day in days)[len(days) // 2]


def _is_on(day: _Day, usual: int) -> bool:
    return day.day == min(usual, day.last)


def _step_of_months(months: Sequence[int]) -> tuple[int, int]:
    steps = _steps(months)
    for step in steps:
        first = months[0] + (_phase(months, step) - months[0]) % step
        first -= step if first > months[0] else 0
        beside = sum((month - first) % step != 0 for month in months)
        if beside <= len(months) / 3 and len({_month_step(month, first, step) for month in months}) == len(set(months)):
            return step, first
    return steps[-1], months[0]


def _month_step(month: int, first: int, step: int) -> int:
    if step in PERIODS:  # the month may vary within a quarter or a year
        return month // step - first // step
    return (2 * (month - first) + step) // (2 * step)


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


def _regular(clock: _Clock) -> Placed:
    """Put times onto steps of their most common distance."""
    step = _steps(clock.values)[0]
    return _placed(replace(clock.grid, step=step, first=_phase(clock.values, step), parts=clock.parts), *clock[:2])


def _rounded(clock: _Clock, regular: Placed) -> Placed:
    """Return steps of which the times are roundings, such as 60 a second to hundredths, if they are none too short."""
    if clock.parts > 1 and regular.absent > MOST_BESIDE * len(regular.steps):
        fitted = _fitted(clock)
        if fitted and not fitted.beside and not fitted.absent:
            return fitted
    return regular


def _nearest(clock: _Clock, regular: Placed) -> Placed | None:
    """Return steps that times lie about: the most common distance where half keep it, else a mean distance."""
    if regular.fits and regular.beside <= len(regular.steps) / 2:
        return regular
    fitted = _fitted(clock)
    return fitted if fitted and fitted.fits else regular if regular.fits else None


def _fitted(clock: _Clock) -> Placed | None:
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
    if step is None or (clock.grid.unit == "second" and grain(clock.grid.form) > 1 and step % grain(clock.grid.form)):
        return None
    phases = sorted(
        Fraction(value, clock.parts) - step * place for value, place in zip(clock.values, places, strict=True)
    )
    median, quarter = phases[len(phases) // 2], phases[len(phases) // 4]
    placed = _placed_from(clock, step, median)
    if placed.beside and (first := _roundest(quarter, 2 * median - quarter, clock.grid.unit)):
        return _placed_from(clock, step, first)
    return placed


def _placed_from(clock: _Clock, step: Fraction, first: Fraction) -> Placed:
    parts = lcm(clock.parts, step.denominator, first.denominator)
    grid = replace(clock.grid, step=int(step * parts), first=int(first * parts), parts=parts)
    return _placed(grid, clock.values, clock.parts)


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


def _placed(grid: TimeGrid, values: Sequence[int], parts: int) -> Placed:
    """Put sorted times onto the steps of a grid, whose first is any of them."""
    if grid.unit == "month":
        return _placed_by_months(grid, values, parts)
    both = lcm(parts, grid.parts)
    scale, step, first = both // parts, grid.step * (both // grid.parts), grid.first * (both // grid.parts)
    steps = [(2 * (value * scale - first) + step) // (2 * step) for value in values]
    away = [abs(value * scale - first - step * place) for value, place in zip(values, steps, strict=True)]
    least = scale if step % scale else 0  # times written in less than a step's digits
    return _from_first(grid, steps, values, sum(a > least for a in away), sum(4 * a > step for a in away))


def _placed_by_months(grid: TimeGrid, values: Sequence[int], parts: int) -> Placed:
    days = [_day(value, parts) for value in values]
    steps = [_month_step(day.month, grid.first, grid.step) for day in days]
    beside, time = 0, Fraction(grid.time, grid.parts)
    for day, step in zip(days, steps, strict=True):
        same_day = not of_days(grid.form) or (_is_on(day, grid.day) and Fraction(day.time, parts) == time)
        beside += day.month != grid.first + grid.step * step or not same_day
    return _from_first(grid, steps, values, beside, 0)


def _from_first(grid: TimeGrid, steps: list[int], values: Sequence[int], beside: int, far: int) -> Placed:
    together = sum(a == b and v != w for (a, b), (v, w) in zip(pairwise(steps), pairwise(values), strict=True))
    begin = steps[0]
    return Placed(grid.starting(begin), [step - begin for step in steps], beside, far, together)
