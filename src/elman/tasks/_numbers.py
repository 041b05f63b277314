"""Numbers as people write them: one notation a table."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from elman._errors import InputError, OptionError, option, shown
from elman.runtime._forecaster.series import GREATEST

__all__ = ["Numbers", "Written", "check_decimal", "looks_like_number", "read_numbers"]

MISSING = {  # of pandas, and what else stands for nothing
    "", "-", "--", "–", "—", ".", "..", "?", "\\n", "na", "n.a.", "n/a", "<na>", "#n/a", "#n/a n/a", "#na", "nan",
    "-nan", "null", "none", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan",
}  # fmt: skip
MARKS = {"point": ".", "comma": ","}
NAMES = {mark: name for name, mark in MARKS.items()}
PLAIN = str.maketrans("−–－＋０１２３４５６７８９．，％", "---+0123456789.,%")

_UNIT = r"[A-Z]{0,3}[$€£¥₹₩₽₺₪₫฿₴₦]|[A-Z]{3}|[元円%‰]"
_GAP = r"[\s'’]"  # between thousands
_WRITTEN = re.compile(
    rf"(?P<sign>[+-]?)\s*(?P<before>{_UNIT})?\s*(?P<inner>[+-]?)(?P<digits>[.,]?[0-9](?:{_GAP}?[0-9.,])*)"
    rf"(?P<exponent>[eE][+-]?[0-9]{{1,3}})?\s*(?P<after>{_UNIT})?\s*(?P<last>-?)"
)
_BRACKETED = re.compile(r"([^()0-9]*)\(([^()]*)\)([^()0-9]*)")
_EITHER = re.compile(r"[1-9][0-9]{0,2}[.,][0-9]{3}")
_GROUPED = r"\d{{1,3}}(?:{gap}\d{{3}})+|\d{{1,2}}(?:{gap}\d\d)+{gap}\d{{3}}"  # the latter as in India


class Written(NamedTuple):
    """A number as it stands in a file."""

    text: str
    line: int
    column: str


@dataclass(frozen=True)
class Numbers:
    """The numbers of a table.

    Attributes:
        values: (rows, columns) float64; NaN where one is missing.
        decimal: what stands before decimals, ``point`` or ``comma``; None: no number says.
        notices: what a person may want to know of the reading.
    """

    values: NDArray[np.float64]
    decimal: str | None
    notices: list[str]


class _Parts(NamedTuple):
    digits: str
    exponent: str = ""
    sign: str = ""
    unit: str = ""


def check_decimal(decimal: str | None) -> None:
    """Refuse, as an OptionError, what is no name of a decimal mark."""
    if decimal is not None and decimal not in MARKS:
        raise OptionError("decimal", "point or comma", decimal)


def looks_like_number(text: str) -> bool:
    """Whether a text is a number, in some notation, or a missing one."""
    if text.strip().lower() in MISSING:
        return True
    parts = _parts(text)
    return parts is not None and any(_value(parts, mark) is not None for mark in NAMES)


def read_numbers(
    columns: Mapping[str, Sequence[str]],
    lines: Sequence[int],
    name: str,
    delimiter: str = "",
    decimal: str | None = None,
    like: str | None = None,
    advice: str = "",
) -> Numbers:
    """Read the columns of a table, whose numbers all tell together which mark stands before decimals.

    A currency or a percent sign is left out, the same in all of a column: ``12%`` is 12.

    Args:
        columns: the texts of each, by its name.
        lines: where each row stands, for messages.
        name: the file's.
        delimiter: the table's, which decides where numbers such as ``1,000`` could be either.
        decimal: ``point`` or ``comma``, if a person says so.
        like: what a model's own file had, where no number says.
        advice: the end of a refusal, after a semicolon.

    Raises:
        InputError: a text is no number, or could be one of two.
    """
    parts = {column: [_found(text, name, lines[i], column, advice) for i, text in enumerate(texts)]
             for column, texts in columns.items()}  # fmt: skip
    found, notices = MARKS[decimal] if decimal else None, list[str]()
    if not found:
        marks = _marks(parts)
        numbers = {mark: Written(columns[column][row], lines[row], column) for mark, (column, row) in marks.items()}
        found, notices = _decided(numbers, name, delimiter, like)
    values = np.empty((len(lines), len(columns)))
    for place, (column, cells) in enumerate(parts.items()):
        _check_units(cells, columns[column], lines, name, column)
        for row, cell in enumerate(cells):
            value = _value(cell, found or ".") if cell else math.nan
            if value is None or abs(value) > GREATEST:
                limit = "" if value is None else f" up to {GREATEST:g}"
                raise _refusal(Written(columns[column][row], lines[row], column), name, advice, decimal, limit)
            values[row, place] = value
    return Numbers(values, NAMES.get(found) if found else None, notices)


def _found(text: str, name: str, line: int, column: str, advice: str) -> _Parts | None:
    if text.strip().lower() in MISSING:
        return None
    if parts := _parts(text):
        return parts
    raise _refusal(Written(text, line, column), name, advice)


def _parts(text: str) -> _Parts | None:
    """Return what a number is made of; ``None`` if it is none."""
    text = text.strip()
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return _Parts(text)
    text = text.translate(PLAIN)
    bracketed = _BRACKETED.fullmatch(text)  # below zero, as accountants write it
    found = _WRITTEN.fullmatch("".join(bracketed.groups()) if bracketed else text)
    if not found:
        return None
    signs = [sign for sign in (found["sign"], found["inner"], found["last"], "-" if bracketed else "") if sign]
    units = [unit for unit in (found["before"], found["after"]) if unit]
    if len(signs) > 1 or len(units) > 1:
        return None
    digits = re.sub(_GAP, " ", found["digits"])
    return _Parts(digits, found["exponent"] or "", *signs or ("",), *units)


def _marks(parts: Mapping[str, Sequence[_Parts | None]]) -> dict[str, tuple[str, int]]:
    """Return the marks that stand before decimals, and ``,?`` and ``.?`` that may, each with its first place."""
    first: dict[str, tuple[str, int]] = {}
    for column, cells in parts.items():
        for row, cell in enumerate(cells):
            if cell and ("." in cell.digits or "," in cell.digits):
                first.setdefault(_decimal_mark(cell), (column, row))
    return first


def _decimal_mark(cell: _Parts) -> str:
    digits = cell.digits
    last, other = (".", ",") if digits.rfind(".") > digits.rfind(",") else (",", ".")
    if other in digits:
        return last
    if digits.count(last) > 1:  # thousands
        return other
    return f"{last}?" if not cell.exponent and _EITHER.fullmatch(digits) else last


def _decided(
    numbers: Mapping[str, Written], name: str, delimiter: str, like: str | None
) -> tuple[str | None, list[str]]:
    """Return which mark stands before decimals, and what to say of that, by the numbers of each kind of mark."""
    said = [mark for mark in numbers if mark in NAMES]
    if len(said) == 2:
        first, later = (numbers[mark] for mark in said)
        as_in = f"a decimal {NAMES[said[0]]}, as {shown(first.text)} in line {first.line}"
        place = f"{name}, line {later.line}, column {later.column!r}"
        raise InputError(f"{place}: expected {as_in}, got {shown(later.text)}")
    if said or not numbers or like:
        return said[0] if said else MARKS[like] if like else None, []
    mark, written = next(iter(numbers.items()))
    if len(numbers) == 1 and mark == ".?" and delimiter != ";":  # as everywhere else
        return ".", []
    if len(numbers) == 1 and mark == ",?" and delimiter in (",", ";"):
        decimal, meant, other = (
            (".", "between thousands", "comma") if delimiter == "," else (",", "before decimals", "point")
        )
        return decimal, [
            f"the comma in {written.text.strip()} was read as {meant}; --decimal {other} reads it otherwise"
        ]
    ways = " or ".join(option("decimal", name) for name in MARKS)
    raise InputError(
        f"{name}, line {written.line}, column {written.column!r}: expected numbers that show what stands before "
        f"decimals, point or comma, got {shown(written.text)}; say which with {ways}"
    )


def _value(cell: _Parts, decimal: str) -> float | None:
    whole, _, decimals = cell.digits.partition(decimal)
    gap = whole.strip("0123456789")[:1]
    if (gap and not re.fullmatch(_GROUPED.format(gap=re.escape(gap)), whole)) or decimals.strip("0123456789"):
        return None
    return float(f"{cell.sign}{whole.replace(gap, '') if gap else whole}.{decimals or 0}{cell.exponent}")


def _check_units(
    cells: Sequence[_Parts | None], texts: Sequence[str], lines: Sequence[int], name: str, column: str
) -> None:
    """Refuse two currencies in a column, and shares of a hundred beside others."""
    units = [(row, cell.unit) for row, cell in enumerate(cells) if cell and cell.unit]
    if not units:
        return
    first, unit = units[0]
    for row, cell in enumerate(cells):
        if not cell:
            continue
        bare = not cell.unit and (unit not in "%‰" or not cell.digits.strip("0., "))
        if cell.unit != unit and not bare:
            raise InputError(
                f"{name}, line {lines[row]}, column {column!r}: expected {unit} with each number, as in line "
                f"{lines[first]}, got {shown(texts[row])}"
            )


def _refusal(written: Written, name: str, advice: str, decimal: str | None = None, limit: str = "") -> InputError:
    what = f"a number with a decimal {decimal}" if decimal and not limit else f"a number{limit}"
    place, end = f"{name}, line {written.line}, column {written.column!r}", f"; {advice}" if advice else ""
    return InputError(f"{place}: expected {what}, or nothing, got {shown(written.text.strip())}{end}")
