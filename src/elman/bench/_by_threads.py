"""The table of each number of threads: how everybody's time changes with it, and who is ahead at each."""

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from elman._figures import counted
from elman.bench._cases import Shape
from elman.bench._columns import comparison, microseconds, names_in, table_of
from elman.bench._report import LONG, Report, Row, geometric_mean

__all__ = ["by_threads", "gains"]


def by_threads(kind: str, report: Report) -> list[Text | Table]:
    """Return the title and the table: of each shape a line for each number of threads."""
    numbers = sorted(report.settings["threads"])
    of_numbers = {number: _rows(kind, report, number) for number in numbers}
    names = names_in(row for rows in of_numbers.values() for row in rows.values())
    title = f"\n{report.family.title} {kind} by threads"
    how = f": µs a call, best of {report.settings['rounds']} rounds; below, times as fast as on {numbers[0]}"
    table = table_of(names, "best peer\n/ ours")
    for shape, first in of_numbers[numbers[0]].items():
        for number in numbers:
            row = of_numbers[number].get(shape)
            if not row:
                continue
            sizes = str(shape) if row is first else ""
            place = Text.assemble(f"{sizes}\n  ", (counted(number, "thread"), "dim"))
            table.add_row(place, *(_cell(name, row, first) for name in names), comparison(row))
    return [Text.assemble((title, "bold"), how), table]


def gains(kinds: list[str], report: Report) -> Iterator[str]:
    """Yield a line for each kind and number of threads: how many times as fast the layer is as on the fewest."""
    least, *others = sorted(report.settings["threads"])
    for kind in kinds:
        on_least = _rows(kind, report, least)
        for number in others:
            pairs = {shape: (on_least[shape], row) for shape, row in _rows(kind, report, number).items()}
            found = {shape: gain for shape, (one, many) in pairs.items() if (gain := _gain("elman layer", many, one))}
            ratios = {shape: gain for shape, gain in found.items() if shape.steps >= LONG}
            if ratios:
                shapes = f"{counted(len(ratios), 'shape')} of {LONG} steps and more"
                mean = f"{geometric_mean(ratios.values()):.2f}x, {shapes}, least {min(ratios.values()):.2f}x"
                yield f"{kind}, {number} threads over {least}: geometric mean {mean}"


def _rows(kind: str, report: Report, threads: int) -> dict[Shape, Row]:
    return {row.case.shape: row for row in report.rows(threads) if row.case.kind == kind}


def _gain(name: str, row: Row, first: Row) -> float | None:
    """Return how many times as fast it is as in the first row."""
    both = row.timings.get(name), first.timings.get(name)
    return both[1].best / both[0].best if both[0] and both[1] else None


def _cell(name: str, row: Row, first: Row) -> Text:
    timing, gain = row.timings.get(name), _gain(name, row, first)
    if not timing:
        return Text("-")
    below = f"{gain:.2f}x" if gain and row is not first else ""
    return Text.assemble(microseconds(timing.best), "\n", (below, "dim"))
