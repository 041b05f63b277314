"""Dates and times of day as people write them: the year first, or the day, or the month, in digits or by its name."""

from __future__ import annotations

import re
from datetime import date
from typing import NamedTuple

from elman.runtime._forecaster.forms import (
    DAY,
    EPOCH,
    HOUR,
    MINUTE,
    MONTH_NAMES,
    MONTHS,
    WEEKDAY_NAMES,
    WEEKDAYS,
    template,
)

__all__ = ["ORDERS", "Read", "named_month", "needs_order", "order_of", "read_date", "seconds_of", "unpadded", "year_of"]

ORDERS = ("day-first", "month-first", "year-first")  # the last of years of two digits: others show that they are years
FIRST_OF_CENTURY = 69  # of two digits; those below are of the 21st, as POSIX has it

_NAME = "[A-Za-z]{3,9}"
_WEEKDAY = rf"(?:(?P<weekday>{_NAME})(?P<after>,? ))?"
_CLOCK = (
    r"(?:(?P<T>,? |[Tt])(?P<hour>\d\d?)(?:(?P<colon>:?)(?P<minute>\d\d)"
    r"(?:(?P=colon)(?P<second>\d\d)(?:\.(?P<fraction>\d{0,400}))?)?)?(?:(?P<blank> ?)(?P<half>AM|PM|am|pm))?)?"
    r"(?P<zone> ?(?:(?i:z|utc|gmt)|[+-]\d\d(?::?\d\d)?))?"
)
_YEAR_FIRST = r"(?P<year>\d{4})(?P<dash>[-/.]?)(?P<month>\d\d?)(?P=dash)(?P<day>\d\d?)"
_DIGITS = r"(?P<one>\d\d?)(?P<dash>[-/.])(?P<two>\d\d?)(?P=dash)(?P<year>\d{4}|\d\d)"
_DAY_NAME = rf"(?P<day>\d\d?)(?P<dash>[-/. ]?)(?P<name>{_NAME})(?P=dash)(?P<year>\d{{4}}|\d\d)"
_NAME_DAY = rf"(?P<name>{_NAME})(?P<dash> )(?P<day>\d\d?)(?P<comma>,? )(?P<year>\d{{4}})"
_YEAR_SIGN = r"(?P<year>\d{4})(?P<dash>年 ?)(?P<month>\d\d?)(?P<after_month>月 ?)(?P<day>\d\d?)(?P<after_day>日)"
_YEAR_NAME = rf"(?P<year>\d{{4}})(?P<dash>[-/ ])(?P<name>{_NAME})(?P=dash)(?P<day>\d\d?)"
_DATES = [
    (kind, re.compile(f"{_WEEKDAY if kind != 'date' else ''}{pattern}{_CLOCK}"))
    for kind, pattern in (
        ("date", _YEAR_FIRST),
        ("date of digits", _DIGITS),
        ("date with a name", _DAY_NAME),
        ("date from a name", _NAME_DAY),
        ("date around a name", _YEAR_NAME),
        ("date with signs", _YEAR_SIGN),
    )
]
_ORDERED = re.compile(f"{_WEEKDAY}{_DIGITS}{_CLOCK}")
_FORM_ORDER = re.compile(r"(?:%[\^_]?[aA],? )?%-?([dmy])[-/.]%-?[dm][-/.]%-?[dYy]")


class Read(NamedTuple):
    """A time as it is written: of what kind, in which form, when; and the offset of its zone, in seconds."""

    kind: str
    form: str
    value: int
    decimals: int = 0  # that the value has been multiplied for
    offset: int = 0


def needs_order(text: str) -> bool:
    """Whether a text is a date whose day and month only their order tells apart."""
    return bool(_ORDERED.fullmatch(text))


def order_of(form: str) -> str | None:
    """Return in which of the ORDERS a form has day and month, digits both; ``None``: in none of them."""
    found = _FORM_ORDER.match(template(form))
    return ORDERS["dmy".index(found[1])] if found else None


def read_date(text: str, order: str) -> Read | None:
    """Read a day, or a time of a day; ``None``: it is none.

    Raises:
        ValueError, OverflowError: there is no such day, or time of it.
    """
    for kind, pattern in _DATES:
        if found := pattern.fullmatch(text):
            return _read(found.groupdict(), kind, order)
    return None


def _read(part: dict[str, str | None], kind: str, order: str) -> Read | None:
    day = _day(part, kind, order)
    clock = _clock(part)
    if day is None or clock is None:
        return None
    form, moment = day
    time_form, second = clock
    fraction, zone = part["fraction"] or "", part["zone"]
    if weekday := part.get("weekday"):
        directive = _named(weekday, WEEKDAYS[moment.weekday()], WEEKDAY_NAMES[moment.weekday()], "a")
        if not directive:
            return None
        form = f"{directive}{part['after']}{form}"
    seconds = (moment.toordinal() - EPOCH) * DAY + second
    value, form = seconds * 10 ** len(fraction) + int(fraction or 0), form + time_form
    if kind != "date":
        kind = f"{kind} of {len(part['year'] or '')}{' after a weekday' if weekday else ''}"
    if not zone:
        return Read(kind, form, value, len(fraction))
    if zone.strip()[0] in "+-" and not part["minute"]:  # 2024-01-31-16 is an hour, or who knows what
        return None
    zone_form, offset = _zone(zone)
    return Read(f"zoned {kind}", form + zone_form, value, len(fraction), offset)


def _day(part: dict[str, str | None], kind: str, order: str) -> tuple[str, date] | None:
    """Return the form of a day, and the day."""
    dash, digits = part["dash"] or "", part["year"] or ""
    year, year_form = year_of(digits)
    if "one" in part and order == ORDERS[2]:
        year_text, month_text, day = part["one"] or "", part["two"] or "", digits
        if dash == "." or {len(year_text), len(month_text), len(day)} != {2}:
            return None
        return f"%y{dash}%m{dash}%d", date(year_of(year_text)[0], int(month_text), int(day))
    if "one" in part:
        names = ("d", "m") if order == ORDERS[0] else ("m", "d")
        texts = dict(zip(names, (part["one"] or "", part["two"] or ""), strict=True))
        directives = _padding(texts["m"], texts["d"])
        written = dash.join(directives[letter] for letter in names)
        return f"{written}{dash}{year_form}", date(year, int(texts["m"]), int(texts["d"]))
    day = part["day"] or ""
    day_form = unpadded("d", day)
    if "name" in part:
        month = named_month(part["name"] or "")
        if month is None:
            return None
        number, name = month
        form = {
            "date with a name": f"{day_form}{dash}{name}{dash}{year_form}",
            "date from a name": f"{name}{dash}{day_form}{part.get('comma')}{year_form}",
            "date around a name": f"{year_form}{dash}{name}{dash}{day_form}",
        }[kind]
        return form, date(year, number, int(day))
    month_text = part["month"] or ""
    if not dash and len(month_text + day) < 4:
        return None
    directives = _padding(month_text, day)
    if "after_day" in part:
        form = f"%Y{dash}{directives['m']}{part['after_month']}{directives['d']}{part['after_day']}"
        return form, date(year, int(month_text), int(day))
    return f"%Y{dash}{directives['m']}{dash}{directives['d']}", date(year, int(month_text), int(day))


def _padding(month: str, day: str) -> dict[str, str]:
    """Return the directives of month and day: in 3/31 neither has a leading zero, though 31 does not show it."""
    bare = min(len(month), len(day)) == 1 and not month.startswith("0") and not day.startswith("0")
    return {
        letter: f"%-{letter}" if bare else unpadded(letter, digits) for letter, digits in (("m", month), ("d", day))
    }


def _clock(part: dict[str, str | None]) -> tuple[str, int] | None:
    """Return the form of a time of the day, and its second of the day."""
    hour, minute, second, half = (part[name] or "" for name in ("hour", "minute", "second", "half"))
    if not hour:
        return "", 0
    colon, blank = part["colon"] or "", part["blank"] or ""
    if half and not 1 <= int(hour) <= 12:
        return None
    form = f"{part['T']}{unpadded('I' if half else 'H', hour)}"
    form += (f"{colon}%M" if minute else "") + (f"{colon}%S%f" if second else "")
    form += f"{blank}%{'_' if half.islower() else ''}p" if half else ""
    hours = int(hour) % 12 + 12 * (half.lower() == "pm") if half else int(hour)
    past = int(minute or 0) * MINUTE + int(second or 0)
    if hours > 24 or (hours == 24 and (past or (part["fraction"] or "").strip("0"))):  # 24:00 is the day's end
        return None
    if int(minute or 0) > 59 or int(second or 0) > 59:
        return None
    return form, hours * HOUR + past


def _zone(text: str) -> tuple[str, int]:
    blank, zone = text[: len(text) - len(text.lstrip())], text.strip()
    if zone[0] not in "+-":
        return text, 0
    digits = zone[1:].replace(":", "")
    hours, minutes = int(digits[:2]), int(digits[2:] or 0)
    if hours > 23 or minutes > 59:
        raise ValueError
    directive = "%_z" if len(digits) == 2 else "%:z" if ":" in zone else "%z"
    return blank + directive, (hours * HOUR + minutes * MINUTE) * (1 if zone[0] == "+" else -1)


def year_of(digits: str) -> tuple[int, str]:
    """Return a year written in four digits or in two, and its directive."""
    if len(digits) == 4:
        return int(digits), "%Y"
    return int(digits) + (1900 if int(digits) >= FIRST_OF_CENTURY else 2000), "%y"


def named_month(text: str) -> tuple[int, str] | None:
    """Return the number of a month and the directive of how it is written; ``None``: it is none."""
    for number, names in enumerate(zip(MONTHS, MONTH_NAMES, strict=True), start=1):
        if directive := _named(text, *names, "b"):
            return number, directive
    return None


def _named(text: str, short: str, long: str, letter: str) -> str | None:
    if text.lower() not in (short, long):
        return None
    case = "" if text.istitle() else "^" if text.isupper() else "_" if text.islower() else None
    letter = letter if text.lower() == short else letter.upper()
    return None if case is None else f"%{case}{letter}"


def unpadded(letter: str, digits: str) -> str:
    """Return the directive of a number with a leading zero, or without."""
    return f"%{letter}" if len(digits) == 2 else f"%-{letter}"


def seconds_of(year: int, month: int, day: int = 1) -> int:
    """Return the second since 1970 at which a day begins."""
    return (date(year, month, day).toordinal() - EPOCH) * DAY
