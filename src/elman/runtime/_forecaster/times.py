"""Times as people write them, read exactly: one form a column."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import NamedTuple

from elman._errors import InputError, shown
from elman.runtime._forecaster.forms import DAY, EPOCH, HOUR, MINUTE, MONTHS, SERIAL_EPOCH, template

__all__ = ["COMPACT", "ZERO", "Times", "as_dates", "rather_dates", "read_times"]

FORMS = (
    "a number, a year, YYYY-MM, YYYYQ1, YYYYMM, YYYY-MM-DD, YYYYMMDD, or YYYY-MM-DD HH:MM[:SS[.fff]] with or without Z "
    "or an offset"
)
COMPACT = {  # what could be numbers, and whether only those of two years or more are taken for it, and not for numbers
    "%Y%m%d": ("YYYYMMDD", False),
    "%Y%m": ("YYYYMM", False),
    "%Y.%m": ("YYYY.MM", True),
    "%Y.%q": ("YYYY.Q", True),
    "%Y%h": ("YYYYH", True),
    "%Y%q": ("YYYYQ", True),
    "%Y%j": ("YYYYDDD", True),
    "%G%V": ("YYYYWW", True),
    "%Y%m%d%H": ("YYYYMMDDHH", False),
    "%Y%m%d%H%M": ("YYYYMMDDHHMM", False),
    "%Y%m%d%H%M%S": ("YYYYMMDDHHMMSS", False),
}
ZERO = ".0"  # that floats end with
LEAST_SHARE, LEAST_ROWS = 0.9, 10  # that fit a compact form: the others are mistakes, and not numbers

_NUMBER = re.compile(r"([+-]?)(\d{0,330})(?:\.(\d{0,400}))?(?:[eE]([+-]?\d{1,3}))?")
_DATE = re.compile(
    r"(?P<year>\d{4})(?P<dash>[-/.]?)(?P<month>\d\d?)(?P=dash)(?P<day>\d\d?)"
    r"(?:(?P<T>[Tt ])(?P<hour>\d\d?)(?:(?P<colon>:?)(?P<minute>\d\d)"
    r"(?:(?P=colon)(?P<second>\d\d)(?:\.(?P<fraction>\d{0,400}))?)?)?)?"
    r"(?P<zone> ?(?:(?i:z|utc|gmt)|[+-]\d\d(?::?\d\d)?))?"
)
_PERIOD = re.compile(r"(\d{4})([- ]?[Qq]|[- ]?[Hh]|[- ]?[Ss]|-?[Ww]|[-/ ]|-?[Mm])(\d\d?|[A-Za-z]{3})")
_PARTS = {"Y": r"(1[5-9]\d\d|2\d\d\d)", "G": r"(1[5-9]\d\d|2\d\d\d)", "j": r"(\d\d\d)", "q": "([1-4])", "h": "([12])"}


@dataclass(frozen=True)
class Times:
    """The times of a column.

    Attributes:
        form: how all are written: see :mod:`elman.runtime._forecaster.forms`.
        values: what the clock beside them shows, since 1970; or the numbers themselves.
        parts: how many of what they count make a second, or one.
        offsets: of the zone of each, in seconds east of Greenwich; empty: none is written.
    """

    form: str
    values: list[int]
    parts: int = 1
    offsets: list[int] = field(default_factory=list)

    @property
    def instants(self) -> list[int]:
        """The same in Greenwich, where zones are written."""
        if not self.offsets:
            return self.values
        return [value - offset * self.parts for value, offset in zip(self.values, self.offsets, strict=True)]

    @property
    def are_numbers(self) -> bool:
        return template(self.form)[-1] == "n"

    def at(self, places: Iterable[int]) -> Times:
        """Return some of them."""
        chosen = list(places)
        offsets = [self.offsets[i] for i in chosen] if self.offsets else []
        return replace(self, values=[self.values[i] for i in chosen], offsets=offsets)


class _Read(NamedTuple):
    kind: str
    form: str
    value: int
    decimals: int = 0  # that the value has been multiplied for
    offset: int = 0


def read_times(texts: Sequence[str], place: str, lines: Sequence[int] | None = None, like: str | None = None) -> Times:
    """Read times, all written in one form.

    Args:
        texts: as a person wrote them.
        place: what messages call the column.
        lines: of each, for messages; None: they are counted from 0.
        like: the form that a model's times had: what digits alone mean.

    Raises:
        InputError: one is no time, or of another form than the first.
    """
    read: list[_Read] = []
    for number, text in enumerate(texts):
        found = _read(text.strip())
        if found is None:
            raise InputError(f"{_place(place, lines, number)}: expected a time ({FORMS}), got {shown(text)}")
        if read and found.kind != read[0].kind:
            first = shown(texts[0])
            raise InputError(
                f"{_place(place, lines, number)}: expected a time written as the first, {first}, got {shown(text)}"
            )
        read.append(found)
    if not read:
        raise InputError(f"{place}: expected times, got none")
    if read[0].kind == "number":
        return _as_digits([text.strip() for text in texts], read, place, lines, like)
    return _in_one_form(read)


def as_dates(numbers: Times, form: str) -> Times:
    """Return what numbers are as serial days or Unix time."""
    if form[-1] == "D":
        values = [(value + SERIAL_EPOCH * numbers.parts) * DAY for value in numbers.values]
        return Times(numbers.form.replace("%.0n", "%D").replace("n", "D"), values, numbers.parts)
    power = form.strip("%?s")
    form = f"%{power}s" if numbers.form == "%.0n" else f"%?{power}s"
    return Times(form, numbers.values, numbers.parts * 10 ** int(power or 0), [0] * len(numbers.values))


def rather_dates(texts: Sequence[str]) -> str | None:
    """Say how to write times that were read as numbers and could be the days or weeks of one year."""
    for form, clearer in (("%Y%j", "YYYY-MM-DD"), ("%G%V", "YYYY-Www")):
        if None not in _values(form, texts):
            return f"the times were read as numbers; if they are {COMPACT[form][0]}, write them as {clearer}"
    return None


def _place(place: str, lines: Sequence[int] | None, number: int) -> str:
    return f"{place}[{number}]" if lines is None else f"{place}, line {lines[number]}"


def _read(text: str) -> _Read | None:
    try:
        return _read_number(text) or _read_date(text) or _read_period(text)
    except (ValueError, OverflowError):
        return None


def _read_number(text: str) -> _Read | None:
    found = _NUMBER.fullmatch(text)
    if not found or not (found[2] or found[3]):
        return None
    sign, whole, fraction, exponent = found[1], found[2], found[3] or "", int(found[4] or 0)
    digits, decimals = whole + fraction, len(fraction) - exponent
    digits += "0" * max(0, -decimals)
    padded = len(digits) > 1 and digits[0] == "0" and not fraction
    return _Read("number", f"%0{len(digits)}n" if padded else "%n", int(sign + digits), max(0, decimals))


def _read_date(text: str) -> _Read | None:
    found = _DATE.fullmatch(text)
    if not found or (not found["dash"] and len(found["month"] + found["day"]) < 4):
        return None
    fraction, hour, minute, second = (found[name] or "" for name in ("fraction", "hour", "minute", "second"))
    dash, month, day = found["dash"], _unpadded("m", found["month"]), _unpadded("d", found["day"])
    form, colon = f"%Y{dash}{month}{dash}{day}", found["colon"] or ""
    form += f"{found['T']}{_unpadded('H', hour)}" if hour else ""
    form += (f"{colon}%M" if minute else "") + (f"{colon}%S%f" if second else "")
    seconds = _seconds(int(found["year"]), int(found["month"]), int(found["day"]))
    seconds += _second_of_day(int(hour or 0), int(minute or 0), int(second or 0))
    value = seconds * 10 ** len(fraction) + int(fraction or 0)
    if not found["zone"]:
        return _Read("date", form, value, len(fraction))
    if found["zone"].strip()[0] in "+-" and not minute:  # 2024-01-31-16 is an hour, or who knows what
        return None
    zone, offset = _read_zone(found["zone"])
    return _Read("zoned date", form + zone, value, len(fraction), offset)


def _read_zone(text: str) -> tuple[str, int]:
    blank, zone = text[: len(text) - len(text.lstrip())], text.strip()
    if zone[0] not in "+-":
        return text, 0
    digits = zone[1:].replace(":", "")
    offset = _second_of_day(int(digits[:2]), int(digits[2:] or 0))
    directive = "%_z" if len(digits) == 2 else "%:z" if ":" in zone else "%z"
    return blank + directive, offset if zone[0] == "+" else -offset


def _read_period(text: str) -> _Read | None:
    found = _PERIOD.fullmatch(text)
    if not found:
        return None
    year, between, which = int(found[1]), found[2], found[3]
    kind = between.strip("-/ ").upper()
    if which.isalpha():
        if kind:
            return None
        case = "%b" if which.istitle() else "%^b" if which.isupper() else "%_b"
        return _Read("month", f"%Y{between}{case}", _seconds(year, MONTHS.index(which.lower()) + 1))
    number = int(which)
    if kind == "W":
        return _Read("week", f"%G{between}%V", _week(year, number))
    if kind in ("Q", "H", "S"):
        most, letter = (4, "q") if kind == "Q" else (2, "h")
        month = 12 // most * (number - 1) + 1
        return _Read(kind, f"%Y{between}%{letter}", _seconds(year, month)) if number <= most else None
    return _Read("month", f"%Y{between}{_unpadded('m', which)}", _seconds(year, number))


def _unpadded(letter: str, digits: str) -> str:
    return f"%{letter}" if len(digits) == 2 else f"%-{letter}"


def _seconds(year: int, month: int, day: int = 1) -> int:
    return (date(year, month, day).toordinal() - EPOCH) * DAY


def _week(year: int, week: int) -> int:
    return (date.fromisocalendar(year, week, 1).toordinal() - EPOCH) * DAY


def _second_of_day(hour: int, minute: int = 0, second: int = 0) -> int:
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError
    return hour * HOUR + minute * MINUTE + second


def _in_one_form(read: Sequence[_Read]) -> Times:
    forms = list(dict.fromkeys(each.form for each in read))
    form = max(forms, key=len)  # midnight may be written without a time
    for letter in "mdH":
        if any(f"%-{letter}" in other for other in forms):
            form = form.replace(f"%{letter}", f"%-{letter}")
    widths = {each.decimals for each in read}
    form = form.replace("%f", _fraction(widths))
    offsets = [each.offset for each in read] if read[0].kind == "zoned date" else []
    return Times(form, *_scaled(read), offsets)


def _fraction(widths: set[int]) -> str:
    most = max(widths)
    if not most:
        return ""
    return f"%.{most}f" if widths == {most} else f"%?{most}f" if widths == {0, most} else "%.f"


def _scaled(read: Sequence[_Read]) -> tuple[list[int], int]:
    decimals = max(each.decimals for each in read)
    return [each.value * 10 ** (decimals - each.decimals) for each in read], 10**decimals


def _as_digits(
    texts: Sequence[str], read: Sequence[_Read], place: str, lines: Sequence[int] | None, like: str | None
) -> Times:
    known = template(like).removesuffix(ZERO) if like else ""
    zero = ZERO if all(text.endswith(ZERO) for text in texts) else ""  # a column that has been floats
    bare = [text.removesuffix(zero) for text in texts]
    for form in () if known[-1:] in ("n", "D", "s") else sorted(COMPACT, key=lambda form: form != known):
        if found := _compact(form, bare, place, lines, known == form):
            return replace(found, form=form + zero)
    widths = {each.decimals for each in read}
    padded = {each.form for each in read} - {"%n"}
    form = f"%.{max(widths)}n" if len(widths) == 1 else "%?n" if min(widths) else "%n"
    if widths == {0} and len(padded) == 1:
        form = padded.pop()
    numbers = Times(form, *_scaled(read))
    return as_dates(numbers, known) if known[-1:] in ("D", "s") else numbers


def _compact(form: str, texts: Sequence[str], place: str, lines: Sequence[int] | None, known: bool) -> Times | None:
    """Return times of digits alone; None where they are rather numbers."""
    name, only_years = COMPACT[form]
    values = _values(form, texts)
    years = {text[:4] for text, value in zip(texts, values, strict=True) if value is not None}
    halves = {text[4:] for text in texts} if "h" in form else ()
    if not known and ((only_years and len(years) < 2) or len(halves) == 1):
        return None
    right = [value for value in values if value is not None]
    if len(right) == len(values):
        return Times(form, right)
    if len(values) >= LEAST_ROWS and len(right) >= LEAST_SHARE * len(values):
        number = values.index(None)
        where = _place(place, lines, number)
        raise InputError(f"{where}: expected a time written as the others, {name}, got {shown(texts[number])}")
    return None


def _values(form: str, texts: Sequence[str]) -> list[int | None]:
    letters = [part for part in form if part.isalpha()]
    pattern = re.compile(re.sub("%(.)", lambda part: _PARTS.get(part[1], r"(\d\d)"), form.replace(".", r"\.")))
    return [_of_parts(letters, found.groups()) if (found := pattern.fullmatch(text)) else None for text in texts]


def _of_parts(letters: Sequence[str], groups: Sequence[str]) -> int | None:
    part = {letter: int(digits) for letter, digits in zip(letters, groups, strict=True)}
    try:
        if "V" in part:
            return _week(part["G"], part["V"])
        if "j" in part:
            seconds = _seconds(part["Y"], 1) + (part["j"] - 1) * DAY
            return seconds if part["j"] and seconds < _seconds(part["Y"] + 1, 1) else None
        month = 3 * part["q"] - 2 if "q" in part else 6 * part["h"] - 5 if "h" in part else part["m"]
        seconds = _seconds(part["Y"], month, part.get("d", 1))
        return seconds + _second_of_day(part.get("H", 0), part.get("M", 0), part.get("S", 0))
    except (ValueError, OverflowError):
        return None
