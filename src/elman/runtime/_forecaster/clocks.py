"""Clocks by which times may be regular: the one written, Greenwich's, one that is put forward in summer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from math import gcd
from typing import Literal, NamedTuple

from elman.runtime._forecaster.calendar import TimeGrid
from elman.runtime._forecaster.forms import DAY, HOUR, has_zone, template
from elman.runtime._forecaster.times import Times

__all__ = ["Clock", "by_its_clock", "clock_of", "clocks_of"]

MOST_TURNS = 2  # of a clock in a year
LEAST_SUMMER = 0.1  # of the times
FINEST = 10**9  # parts of a second, or of one, that are told apart


class Clock(NamedTuple):
    """What a clock shows: in the times' own zone, in Greenwich, or in one that is not written."""

    values: list[int]
    parts: int
    grid: TimeGrid  # with its form and zone, and no steps yet


def clocks_of(times: Times) -> Iterator[Clock]:
    """Return by which clocks times may be regular: their own, Greenwich's, one that is put forward in summer."""
    offsets = times.offsets
    own = clock_of(times, times.values, "second")
    yield own._replace(grid=replace(own.grid, zone=_zone(times.values, offsets, times.parts)))
    if len(set(offsets)) > 1:
        greenwich = clock_of(times, times.instants, "second")
        zone = _zone(times.instants, offsets, times.parts)
        yield greenwich._replace(grid=replace(greenwich.grid, zone=zone, utc=True))
    elif not any(offsets) and (shifts := _summer(own.values, own.parts)):
        values = [value + shift * own.parts for value, shift in zip(own.values, shifts, strict=True)]
        form = template(times.form).replace("%z", "+0000").replace("%:z", "+00:00").replace("%_z", "+00")
        yield own._replace(values=values, grid=replace(own.grid, zone=_zone(values, shifts, own.parts), form=form))


def clock_of(times: Times, values: list[int], unit: Literal["step", "second"]) -> Clock:
    common = gcd(times.parts, *values)
    values, parts = [value // common for value in values], times.parts // common
    if parts > FINEST:
        values, parts = [(2 * value * FINEST + parts) // (2 * parts) for value in values], FINEST
    return Clock(values, parts, TimeGrid(unit, form=times.form))


def _summer(values: Sequence[int], parts: int) -> list[int]:
    """Return the seconds that times of two hours of the day, turn by turn a season, lie before the usual one."""
    hours = Counter(value % (DAY * parts) for value in values)
    if len(hours) != 2 or (max(hours) - min(hours)) not in (HOUR * parts, (DAY - HOUR) * parts):
        return []
    (usual, _), (other, seldom) = hours.most_common()
    if seldom < LEAST_SUMMER * len(values):
        return []
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


def by_its_clock(grid: TimeGrid, times: Times) -> tuple[list[int], TimeGrid]:
    """Return what the clock of a grid shows at some times, and the grid written as they are, zone included."""
    written, shown, shows = replace(grid, form=times.form), "z" in template(grid.form), "z" in template(times.form)
    if not times.offsets and shown and grid.utc:  # no word of a zone: it is the clock that the grid's labels show
        offsets = [grid.offset(Fraction(value, times.parts)) for value in times.values]
        return replace(times, offsets=offsets).instants, grid
    if not times.offsets and (shown or not grid.zone):
        return times.values, replace(written, zone=[], utc=False)
    if not grid.zone and not has_zone(grid.form):  # no zone is known: their own clock is the grid's
        return times.values, replace(written, zone=_zone(times.values, times.offsets, times.parts))
    values, known = times.instants, {offset for _, offset in grid.zone} if shown else set()
    if grid.utc or not grid.zone:
        same = not times.offsets or known.issuperset(times.offsets)
        zone = grid.zone if same else _zone(values, times.offsets, times.parts)
        return values, replace(written, zone=zone, utc=True)
    offsets = [
        offset if offset in known else grid.offset(Fraction(value, times.parts))  # of the same place, it is right
        for offset, value in zip(times.offsets or [0] * len(values), values, strict=True)
    ]
    values = [value + offset * times.parts for value, offset in zip(values, offsets, strict=True)]
    return values, grid if shows and not known.issuperset(times.offsets) else written
