"""Times as people write them, read exactly: one form a column."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from elman._errors import InputError, OptionError, either, option, shown
from elman.runtime._forecaster.dates import (
    ORDERS,
    Read,
    named_month,
    needs_order,
    order_of,
    read_date,
    seconds_of,
    unpadded,
    year_of,
)
from elman.runtime._forecaster.forms import DAY, EPOCH, HOUR, MINUTE, SERIAL_EPOCH, template

__all__ = ["COMPACT", "ZERO", "Times", "as_dates", "rather_dates", "read_times", "readings", "unclear_order", "usual"]

FORMS = (
    "a number, a year, YYYY-MM, Jan 2024, YYYYQ1, YYYYMM, YYYY-MM-DD, YYYYMMDD, DD.MM.YYYY, MM/DD/YYYY, 31 Jan 2024, "
    "or a date and HH:MM[:SS[.fff]] with or without AM or PM, Z or an offset"
)
COMPACT = {  # what could be numbers, and whether only those of two years or more are taken for it, and not for numbers
    "%Y%m%d": ("YYYYMMDD", False),
    "%Y%m": ("YYYYMM", False),
    "%Y.%m": ("YYYY.MM", True),
    "%m.%Y": ("MM.YYYY", False),
    "%Y.%q": ("YYYY.Q", True),
    "%Y%h": ("YYYYH", True),
    "%Y%q": ("YYYYQ", True),
    "%Y%j": ("YYYYDDD", True),
    "%G%V": ("YYYYWW", True),
    "%Y%m%d%H": ("YYYYMMDDHH", False),
    "%Y%m%d%H%M": ("YYYYMMDDHHMM", False),
    "%Y%m%d%H%M%S": ("YYYYMMDDHHMMSS", False),
}
RATHER_DATES = (  # what stays numbers, how to write it clearly, and whether its first two digits must differ
    ("%Y%j", "YYYYDDD", "YYYY-MM-DD", False),
    ("%G%V", "YYYYWW", "YYYY-Www", False),
    ("%y%m%d", "YYMMDD", "YYYY-MM-DD", False),
    ("%y%m", "YYMM", "YYYY-MM", True),  # 2001 to 2012 are years
    ("%m%Y", "MMYYYY", "YYYY-MM", True),
)
ZERO = ".0"  # that floats end with
YEAR_FIRST = ORDERS[2]
LEAST_SHARE, LEAST_ROWS = 0.9, 10  # that fit a compact form: the others are mistakes, and not numbers

_NUMBER = re.compile(r"([+-]?)(\d{0,330})(?:\.(\d{0,400}))?(?:[eE]([+-]?\d{1,3}))?")
_PERIOD = re.compile(
    r"(\d{4})(?:([- ]?[Qq]|[- ]?[Hh]|[- ]?[Ss]|[- ]?[Ww]|[-/ ]|-?[Mm]|年 ?)(\d\d?)(月?)|([-/ ])([A-Za-z]{3,9}))"
)
_PART_OF_YEAR = re.compile(r"(?:([QqHh])([1-4])|([1-4])([QqHh]))([-/ ]?)(\d{4})")
_WEEKDAY = re.compile(r"(\d{4})(-?)([Ww])(\d\d)(-?)([1-7])")
_YEAR = re.compile(r"(\d{4})年")
_MONTH_OF_YEAR = re.compile(r"(\d\d?)([-/])(\d{4})")
_NAME_OF_YEAR = re.compile(r"([A-Za-z]{3,9})(?:([-/. ]?)(\d{4})|([-/'])(\d\d))")
_YEARS = r"(1[5-9]\d\d|2[01]\d\d)"
_PARTS = {"Y": _YEARS, "G": _YEARS, "j": r"(\d\d\d)", "q": "([1-4])", "h": "([12])"}


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


def read_times(
    texts: Sequence[str],
    place: str,
    lines: Sequence[int] | None = None,
    like: str | None = None,
    dates: str | None = None,
) -> Times:
    """Read times, all written in one form.

    Args:
        texts: as a person wrote them.
        place: what messages call the column.
        lines: of each, for messages; None: they are counted from 0.
        like: the form that a model's times had: what digits alone mean, and what comes first, day or month.
        dates: one of ORDERS, what a person says comes first; None: what only one of them makes dates of.

    Raises:
        InputError: one is no time, or of another form than the first, or day and month cannot be told apart.
    """
    found = usual(readings(texts, place, lines, like, dates))
    if len(found) > 1 and found[0].values != found[1].values:
        raise unclear_order(texts, place, lines, found)
    return found[0]


def usual(found: Sequence[Times]) -> list[Times]:
    """Return those of several readings that do not begin with a year of two digits, if there are others."""
    return [times for times in found if order_of(times.form) != YEAR_FIRST] or list(found)


def readings(
    texts: Sequence[str],
    place: str,
    lines: Sequence[int] | None = None,
    like: str | None = None,
    dates: str | None = None,
) -> list[Times]:
    """Return the ways in which times can be read, several where day, month and year cannot be told apart.

    The arguments and refusals are those of :func:`read_times`.
    """
    if dates is not None and dates not in ORDERS:
        raise OptionError("dates", either(ORDERS), dates)
    stripped = [text.strip() for text in texts]
    if not stripped:
        raise InputError(f"{place}: expected times, got none")
    orders = [dates] if dates else ORDERS if needs_order(stripped[0]) else ORDERS[:1]
    found: dict[str, list[Read]] = {}
    furthest = (-1, "")
    for order in orders:
        read, refusal = _read_all(stripped, order)
        if not refusal:
            found[order] = read
        furthest = max(furthest, (len(read), refusal))
    if not found:
        number, expected = furthest
        raise InputError(f"{_place(place, lines, number)}: expected {expected}, got {shown(texts[number])}")
    known = order_of(like) if like else None
    chosen = [found[known]] if known in found else list(found.values())
    if chosen[0][0].kind == "number":
        return [_as_digits(stripped, chosen[0], place, lines, like)]
    return [_in_one_form(read) for read in (chosen if chosen[0] != chosen[-1] else chosen[:1])]


def unclear_order(texts: Sequence[str], place: str, lines: Sequence[int] | None, found: Sequence[Times]) -> InputError:
    """Return the refusal of times that can be read in several orders, at the first that differs."""
    read = enumerate(zip(*(times.values for times in found), strict=True))
    number = next((i for i, values in read if len(set(values)) > 1), 0)
    orders = [order_of(times.form) or "" for times in found]
    names = " or ".join(order.removesuffix("-first") for order in orders)
    return InputError(
        f"{_place(place, lines, number)}: expected times that show what comes first, {names}, got "
        f"{shown(texts[number])}; say which with {' or '.join(option('dates', order) for order in orders)}"
    )


def as_dates(numbers: Times, form: str) -> Times:
    """Return what numbers are as serial days or Unix time."""
    if form[-1] == "D":
        values = [(value + SERIAL_EPOCH * numbers.parts) * DAY for value in numbers.values]
        return Times(numbers.form.replace("%.0n", "%D").replace("n", "D"), values, numbers.parts)
    power = form.strip("%?s")
    form = f"%{power}s" if numbers.form == "%.0n" else f"%?{power}s"
    return Times(form, numbers.values, numbers.parts * 10 ** int(power or 0), [0] * len(numbers.values))


def rather_dates(texts: Sequence[str]) -> str | None:
    """Say how to write what was read as numbers and could be days, weeks of one year, or months."""
    for form, name, clearer, differ in RATHER_DATES:
        if None not in _values(form, texts) and (not differ or len({text[:2] for text in texts}) > 1):
            return f"if they are {name}, write them as {clearer}"
    return None


def _place(place: str, lines: Sequence[int] | None, number: int) -> str:
    return f"{place}[{number}]" if lines is None else f"{place}, line {lines[number]}"


def _read_all(texts: Sequence[str], order: str) -> tuple[list[Read], str]:
    """Return the times up to the first that is refused, and what was expected there; nothing: all are read."""
    read: list[Read] = []
    for text in texts:
        found = _read(text, order)
        if found is None:
            return read, f"a time ({FORMS})"
        if read and found.kind != read[0].kind:
            return read, f"a time written as the first, {shown(texts[0])}"
        read.append(found)
    return read, ""


def _read(text: str, order: str) -> Read | None:
    try:
        return _read_number(text) or read_date(text, order) or _read_period(text)
    except (ValueError, OverflowError):
        return None


def _read_number(text: str) -> Read | None:
    found = _NUMBER.fullmatch(text)
    if not found or not (found[2] or found[3]):
        return None
    sign, whole, fraction, exponent = found[1], found[2], found[3] or "", int(found[4] or 0)
    digits, decimals = whole + fraction, len(fraction) - exponent
    digits += "0" * max(0, -decimals)
    padded = len(digits) > 1 and digits[0] == "0" and not fraction
    return Read("number", f"%0{len(digits)}n" if padded else "%n", int(sign + digits), max(0, decimals))


def _read_period(text: str) -> Read | None:
    if found := _PART_OF_YEAR.fullmatch(text):
        which, number, between, year = found[1] or found[4], found[2] or found[3], found[5], found[6]
        form = f"{which}%{{}}{between}%Y" if found[1] else f"%{{}}{which}{between}%Y"
        return _part_of_year(int(year), which.upper(), int(number), form, "first" if found[1] else "last")
    if found := _WEEKDAY.fullmatch(text):
        form = f"%G{found[2]}{found[3]}%V{found[5]}%u"
        moment = _week(int(found[1]), int(found[4])) + (int(found[6]) - 1) * DAY
        return Read("weekday", form, moment) if found[2] == found[5] else None
    if found := _YEAR.fullmatch(text):
        return Read("year", "%Y年", seconds_of(int(found[1]), 1))
    if found := _MONTH_OF_YEAR.fullmatch(text):
        form = f"{unpadded('m', found[1])}{found[2]}%Y"
        return Read("month first", form, seconds_of(int(found[3]), int(found[1])))
    if found := _NAME_OF_YEAR.fullmatch(text):
        month = named_month(found[1])
        year, year_form = year_of(found[3] or found[5])
        between = found[2] or found[4] or ""
        return month and Read("name first", f"{month[1]}{between}{year_form}", seconds_of(year, month[0]))
    found = _PERIOD.fullmatch(text)
    if not found:
        return None
    year = int(found[1])
    if found[6]:
        month = named_month(found[6])
        return month and Read("month", f"%Y{found[5]}{month[1]}", seconds_of(year, month[0]))
    between, which = found[2], found[3]
    if ("年" in between) != bool(found[4]):
        return None
    kind, number = between.strip("-/ ").upper(), int(which)
    if kind == "W":
        return Read("week", f"%G{between}%V", _week(year, number))
    if kind in ("Q", "H", "S"):
        return _part_of_year(year, kind, number, f"%Y{between}%{{}}")
    return Read("month", f"%Y{between}{unpadded('m', which)}{found[4]}", seconds_of(year, number))


def _part_of_year(year: int, kind: str, number: int, form: str, place: str = "") -> Read | None:
    most, letter = (4, "q") if kind == "Q" else (2, "h")
    month = 12 // most * (number - 1) + 1
    return Read(kind + place, form.format(letter), seconds_of(year, month)) if number <= most else None


def _week(year: int, week: int) -> int:
    return (date.fromisocalendar(year, week, 1).toordinal() - EPOCH) * DAY


def _second_of_day(hour: int, minute: int = 0, second: int = 0) -> int:
    if hour > 24 or minute > 59 or second > 59 or (hour == 24 and (minute or second)):
        raise ValueError
    return hour * HOUR + minute * MINUTE + second


def _in_one_form(read: Sequence[Read]) -> Times:
    forms = list(dict.fromkeys(each.form for each in read))
    form = max(forms, key=len)  # midnight may be written without a time
    for letter in "mdHI":
        if any(f"%-{letter}" in other for other in forms):
            form = form.replace(f"%{letter}", f"%-{letter}")
    if any("B" in other for other in forms):  # May is the whole name of a month, too
        form = form.replace("b", "B")
    widths = {each.decimals for each in read}
    form = form.replace("%f", _fraction(widths))
    offsets = [each.offset for each in read] if read[0].kind.startswith("zoned ") else []
    return Times(form, *_scaled(read), offsets)


def _fraction(widths: set[int]) -> str:
    most = max(widths)
    if not most:
        return ""
    return f"%.{most}f" if widths == {most} else f"%?{most}f" if widths == {0, most} else "%.f"


def _scaled(read: Sequence[Read]) -> tuple[list[int], int]:
    decimals = max(each.decimals for each in read)
    return [each.value * 10 ** (decimals - each.decimals) for each in read], 10**decimals


def _as_digits(
    texts: Sequence[str], read: Sequence[Read], place: str, lines: Sequence[int] | None, like: str | None
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
    is_decimal = form == "%m.%Y" and not any(text.startswith("0") for text in texts)
    if not known and ((only_years and len(years) < 2) or len(halves) == 1 or is_decimal):
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
            seconds = seconds_of(part["Y"], 1) + (part["j"] - 1) * DAY
            return seconds if part["j"] and seconds < seconds_of(part["Y"] + 1, 1) else None
        month = 3 * part["q"] - 2 if "q" in part else 6 * part["h"] - 5 if "h" in part else part["m"]
        year = part["Y"] if "Y" in part else year_of(f"{part['y']:02}")[0]
        seconds = seconds_of(year, month, part.get("d", 1))
        return seconds + _second_of_day(part.get("H", 0), part.get("M", 0), part.get("S", 0))
    except (ValueError, OverflowError):
        return None
