"""Which columns of a table are the times and the numbers that a person means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from elman._errors import InputError, listed, shown
from elman.runtime._forecaster.times import readings
from elman.tasks._numbers import MISSING, looks_like_number

__all__ = ["NO_TIME", "SeriesColumns", "choose_columns", "said_of"]

NO_TIME = "none"  # for --time: the rows are the steps
TIMES = {  # what columns of times are called, though digits alone may stand in them
    "date", "time", "datetime", "timestamp", "ds", "day", "week", "month", "quarter", "year", "period", "hour",
    "datum", "zeit", "zeitpunkt", "tag", "woche", "monat", "quartal", "jahr", "stunde",
    "fecha", "mes", "año", "mois", "année", "日期", "时间", "时刻", "年", "月", "年月", "年份", "月份",
}  # fmt: skip
MOST = (
    0.5  # of the rows, to be taken for a column of times or numbers: what else it holds is then refused with its line
)
UNNAMED = {"", "index", "id", "unnamed: 0", "#"}  # numbers of the rows


@dataclass(frozen=True)
class SeriesColumns:
    """What the columns of a series' file are called.

    Attributes:
        time: the column of the times; None: the rows are the steps.
        targets: what is to be forecast.
        covariates: what is read beside it.
        known: the same, and known ahead.
    """

    time: str | None
    targets: tuple[str, ...]
    covariates: tuple[str, ...] = ()
    known: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of numbers, the targets first."""
        return *self.targets, *self.covariates, *self.known


def choose_columns(
    table: Mapping[str, Sequence[str]],
    name: str,
    time: str | None,
    targets: Sequence[str],
    covariates: Sequence[str],
    known: Sequence[str] = (),
) -> SeriesColumns:
    """Find what a person means by the columns named, or by naming none; the arguments are those of ``find_columns``.

    Args:
        table: the texts of each column, of some rows.
        name: the file's.

    Raises:
        InputError: there are no such columns, or it is not clear which.
    """
    header = list(table)
    chosen, further, ahead = (_split(given, header) for given in (targets, covariates, known))
    named = {*chosen, *further, *ahead}
    if not named and time in (None, NO_TIME) and all(column and _is_value(column) for column in header):
        raise InputError(f"{name}: expected a line of names above the rows, got {listed(map(shown, header))}")
    if time is None:
        time = _time_column({column: texts for column, texts in table.items() if column not in named}, name)
    elif time == NO_TIME and time not in header:
        time = None
    if not chosen:
        chosen = _target({column: texts for column, texts in table.items() if column not in {time, *named}}, name)
    names = [*([] if time is None else [time]), *chosen, *further, *ahead]
    if again := next((column for column in names if names.count(column) > 1), None):
        raise InputError(f"{name}: expected each column once, as time, target, covariate or known, got {again!r} twice")
    return SeriesColumns(time, chosen, further, ahead)


def said_of(found: SeriesColumns, time: str | None, targets: Sequence[str]) -> list[str]:
    """Return a line on the columns that were found, not named; none where all were."""
    said = {}
    if time is None:
        rows = "no column holds times, the rows are the steps"
        said["--time"] = rows if found.time is None else f"times from {found.time!r}"
    if not targets:
        said["--target"] = f"target {found.targets[0]!r}"
    names = "name others" if len(said) > 1 else "names another"
    return [f"{', '.join(said.values())} ({' and '.join(said)} {names})"] if said else []


def _time_column(table: Mapping[str, Sequence[str]], name: str) -> str | None:
    """Return the column whose texts are dates, or numbers under the name of a time; ``None`` if there is none."""
    dated = [
        column for column, texts in table.items() if _holds_times(texts, column, first=column == next(iter(table)))
    ]
    named = [column for column in dated if column.lower() in TIMES]
    if len(dated) == 1 or len(named) == 1:
        return (named if len(named) == 1 else dated)[0]
    parts = [column for column in table if column.lower() in TIMES]
    if dated:
        raise InputError(
            f"{name}: expected --time, one of the columns {listed(map(shown, dated))}, all of which hold times"
        )
    if parts:
        got = listed(f"{shown(column)} ({shown(next(filter(None, table[column]), ''))}, …)" for column in parts)
        raise InputError(
            f"{name}: expected one column of times that differ, such as 2024-01 or Jan 2024, got {got}; with "
            f"--time {NO_TIME} the rows are the steps"
        )
    return None


def _holds_times(texts: Sequence[str], column: str, *, first: bool) -> bool:
    known = [text for text in map(str.strip, texts) if text]  # a row of sums has none
    if not known:
        return False
    dates = [text for text in known if not looks_like_number(text) and _is_date(text)]
    if len(dates) >= MOST * len(known):
        return True
    try:
        times = readings(known, column)[0]
    except InputError:
        return False
    if column.lower() in TIMES:
        return len(set(known)) == len(known)
    return first and not times.are_numbers and column.lower() not in UNNAMED


def _is_date(text: str) -> bool:
    try:
        return bool(readings([text], ""))
    except InputError:
        return False


def _is_value(text: str) -> bool:
    return looks_like_number(text) or _is_date(text)


def _target(table: Mapping[str, Sequence[str]], name: str) -> tuple[str, ...]:
    """Return the only column of numbers."""
    found = [column for column, texts in table.items() if _holds_numbers(texts) and column.lower() not in UNNAMED]
    if len(found) == 1:
        return (found[0],)
    if found:
        raise InputError(f"{name}: expected --target, one or more of the columns {listed(map(shown, found))}")
    raise InputError(f"{name}: expected a column of numbers to forecast, the columns are {listed(map(shown, table))}")


def _holds_numbers(texts: Sequence[str]) -> bool:
    known = [text for text in texts if text.strip().lower() not in MISSING]
    return bool(known) and sum(map(looks_like_number, known)) >= MOST * len(known)


def _split(given: Sequence[str], header: Sequence[str]) -> tuple[str, ...]:
    parts: list[str] = []
    for text in given:
        parts += [text] if text in header else [part.strip() for part in text.split(",")]
    return tuple(parts)
