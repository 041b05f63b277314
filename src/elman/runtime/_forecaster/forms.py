"""The forms that times are written in: a template of directives as of ``strftime``, and some that it lacks.

``%Y %y %m %d %H %I %M %S %p %j %G %V %u %b %B %a %A`` are those of ``strftime``, in English; ``%-m`` has no leading
zero, ``%^b`` and ``%_b`` are in capitals and in small letters. ``%q`` is the quarter, ``%h`` the half of a year.
``%.3f`` is a point and three digits of a second, ``%?3f`` the same or nothing if they are zeros, ``%.f`` as many as it
takes. ``%z %:z %_z`` are offsets: +0530, +05:30, and +05 where there are no minutes. ``%n`` is a number, ``%.2n`` one
of two decimals, ``%03n`` one of three digits; ``%D %.1D`` a spreadsheet's serial day; ``%s %3s %6s %9s`` Unix time, in
seconds to nanoseconds; ``%?n %?D %?s`` have one decimal at least, as floats have.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from fractions import Fraction
from functools import lru_cache
from math import floor

__all__ = ["DAY", "EPOCH", "HOUR", "MINUTE", "MONTHS", "MONTH_NAMES", "SERIAL_EPOCH", "WEEKDAYS", "WEEKDAY_NAMES"]
__all__ += ["grain", "has_zone", "is_form", "of_days", "template", "written"]

MINUTE, HOUR, DAY = 60, 3600, 86400  # seconds
EPOCH = date(1970, 1, 1).toordinal()
SERIAL_EPOCH = date(1899, 12, 30).toordinal() - EPOCH
MONTH_NAMES = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
WEEKDAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS, WEEKDAYS = (tuple(name[:3] for name in names) for names in (MONTH_NAMES, WEEKDAY_NAMES))
NAMED = {  # as the first models name them
    "integer": "%.0n",
    "compact date": "%Y%m%d",
    "date": "%Y-%m-%d",
    "datetime": "%Y-%m-%d %H:%M:%S",
    "UTC datetime": "%Y-%m-%d %H:%M:%SZ",
    "month": "%Y-%m",
    "quarter": "%YQ%q",
}
GRAINS = (
    ("S", 1),
    ("M", MINUTE),
    ("H", HOUR),
    ("I", HOUR),
)  # the shortest part of a time that a form shows, in seconds

_DIRECTIVE = re.compile(r"%([-^_:.?]?)(\d{0,2})([A-Za-z])")
_FORM = re.compile(r"(?:[-+/:.,' \w年月日]|%[-^_:.?]?\d{0,2}[YymdHIMSpjGVubBaAqhfznDs]){1,80}", re.ASCII)
_CASES: dict[str, Callable[[str], str]] = {"": str.title, "^": str.upper, "_": str.lower}


def template(form: str) -> str:
    """Return a form's directives."""
    return NAMED.get(form, form)


def is_form(form: str) -> bool:
    """Whether times can be written in it."""
    return bool(_FORM.fullmatch(form))


def of_days(form: str) -> bool:
    """Whether a form tells days, and not only months, quarters or years."""
    return any(letter in "djVDs" for _, _, letter in _DIRECTIVE.findall(template(form)))


def has_zone(form: str) -> bool:
    """Whether a form names its zone, an offset or Greenwich's, or has none: Unix time."""
    known = template(form)
    return known.endswith("s") or known.upper().endswith(("Z", "UTC", "GMT", "+0000", "+00:00", "+00"))


def written(form: str, value: Fraction, offset: int = 0) -> str:
    """Write a time.

    Args:
        form: how.
        value: seconds since 1970 on the clock whose zone is written; or the number itself.
        offset: of the zone, in seconds east of Greenwich.

    Raises:
        ValueError, OverflowError: it lies beyond the year 9999, or before the year 1.
    """
    directives = template(form)
    [(flag, digits, letter), *_] = _DIRECTIVE.findall(directives) or [("", "", "n")]
    if letter in "nDs":
        scaled = {"n": value, "D": value / DAY - SERIAL_EPOCH, "s": value * 10 ** int(digits or 0)}[letter]
        return _number(scaled, flag, "" if letter == "s" else digits)
    shortest = grain(form)
    day, second = divmod(floor(value / shortest + Fraction(1, 2)) * shortest, DAY)
    moment = date.fromordinal(EPOCH + int(day))
    return _DIRECTIVE.sub(
        lambda found: _part(found[1], found[2], found[3], moment, Fraction(second), offset), directives
    )


@lru_cache(maxsize=64)
def grain(form: str) -> Fraction:
    """Return how many seconds the shortest part that a form shows takes; a day where it shows none of a day."""
    found = _DIRECTIVE.findall(template(form))
    if decimals := [int(digits or 9) for _, digits, letter in found if letter == "f"]:
        return Fraction(1, 10 ** decimals[0])
    letters = {"S" if letter == "s" else letter for *_, letter in found}
    return Fraction(next((seconds for letter, seconds in GRAINS if letter in letters), DAY))


def _part(flag: str, digits: str, letter: str, moment: date, second: Fraction, offset: int) -> str:
    hour = int(second // HOUR)
    if letter in "bBaAp":
        half, month, weekday = ("AM", "PM")[hour // 12], moment.month - 1, moment.weekday()
        names = {"b": MONTHS[month], "B": MONTH_NAMES[month], "a": WEEKDAYS[weekday], "A": WEEKDAY_NAMES[weekday]}
        return _CASES.get(flag, str.title)(names[letter]) if letter != "p" else half.lower() if flag == "_" else half
    if letter == "f":
        return _fraction(second % 1, flag, int(digits or 0))
    if letter == "z":
        hours, minutes = divmod(abs(offset) // MINUTE, 60)
        colon = ":" if flag else ""
        return f"{'-' if offset < 0 else '+'}{hours:02}" + (f"{colon}{minutes:02}" if minutes or flag != "_" else "")
    year, week, weekday = moment.isocalendar()
    value, width = {
        "Y": (moment.year, 4), "y": (moment.year % 100, 2), "m": (moment.month, 2), "d": (moment.day, 2),
        "j": (moment.timetuple().tm_yday, 3),
        "q": ((moment.month + 2) // 3, 1), "h": ((moment.month + 5) // 6, 1), "G": (year, 4), "V": (week, 2),
        "u": (weekday, 1),
        "H": (hour, 2), "I": ((hour + 11) % 12 + 1, 2),
        "M": (int(second // MINUTE) % 60, 2), "S": (int(second) % 60, 2),
    }.get(letter, (0, 0))  # fmt: skip
    return str(value) if flag == "-" else f"{value:0{width}}"


def _fraction(fraction: Fraction, flag: str, digits: int) -> str:
    if not fraction and (flag == "?" or not digits):
        return ""
    text = f"{floor(fraction * 10 ** (digits or 9)):0{digits or 9}}"
    return f".{text if digits else text.rstrip('0')}"


def _number(value: Fraction, flag: str, digits: str) -> str:
    decimals = int(digits or 0) if flag == "." else 0 if digits else 9
    scaled = floor(abs(value) * 10**decimals + Fraction(1, 2))
    whole, fraction = divmod(scaled, 10**decimals)
    sign, width = "-" if value < 0 and scaled else "", 0 if flag == "." else int(digits or 0)
    text = f"{fraction:0{decimals}}" if decimals else ""
    text = text if flag == "." else text.rstrip("0") or "0" * (flag == "?")
    return f"{sign}{whole:0{max(1, width)}}" + (f".{text}" if text else "")
