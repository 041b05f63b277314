"""What a person reads: the machine, a table for each kind of work, the means, and who is not in it."""

from collections.abc import Iterator
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from elman._figures import counted
from elman.bench._by_threads import by_threads, gains
from elman.bench._cases import KINDS
from elman.bench._columns import comparison, microseconds, names_in, table_of
from elman.bench._report import LONG, Report, Row, geometric_mean

__all__ = ["WIDTH", "as_text", "show"]

WIDTH = 100  # holds the table of all contenders


def show(report: Report, by_threads: bool = False) -> None:
    """Print it on standard output: sentences as wide as the terminal, tables as wide as they are.

    Args:
        report: what was measured.
        by_threads: whether to show the times on each number of threads as well.
    """
    console = Console(highlight=False)
    width = console.width if console.is_terminal else WIDTH
    console = Console(highlight=False, width=max(width, WIDTH))
    for part in _parts(report, width, by_threads):
        console.print(part, width=None if isinstance(part, Table) else width)


def as_text(report: Report) -> str:
    """Return it without colours."""
    console = Console(width=WIDTH, no_color=True, color_system=None, force_terminal=False)
    with console.capture() as captured:
        console.print(*_parts(report, WIDTH), sep="\n")
    return "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def _parts(report: Report, width: int, of_threads: bool = False) -> list[Text | Table]:
    rows = report.rows()
    parts: list[Text | Table] = [_head(report, width)]
    kinds = [kind for kind in KINDS if any(row.case.kind == kind for row in rows)]
    for kind in kinds:
        parts += [_legend(kind, report), _table([row for row in rows if row.case.kind == kind], report)]
    for kind in kinds if of_threads else ():
        parts += by_threads(kind, report)
    notes = [*_how_to_read(rows, report), *_means(rows), *(gains(kinds, report) if of_threads else ())]
    return [*parts, Text("\n".join(["", *notes, *_missing(report), *_failures(report)]))]


def _head(report: Report, width: int) -> Text:
    machine, rates = report.machine, report.machine["rates"]
    lines = [
        f"{machine['processor']}, {machine['architecture']}, {machine['cores']} cores, {machine['system']}",
        f"instruction set {machine['instruction_set']}; float32 matrix product {report.gflops:.0f} Gflop/s "
        f"(MKL {rates['torch']:.0f}, OpenBLAS {rates['numpy']:.0f}); copy {rates['copy']:.1f} GB/s",
        *_wrapped([f"{package} {version}" for package, version in report.versions.items()], width),
    ]
    return Text("\n".join(lines))


def _wrapped(parts: list[str], width: int) -> list[str]:
    """Return lines of the parts with commas between, none wider than that."""
    lines = [parts[0]]
    for part in parts[1:]:
        if len(lines[-1]) + len(part) + 3 > width:
            lines[-1] += ","
            lines.append(part)
        else:
            lines[-1] += f", {part}"
    return lines


def _legend(kind: str, report: Report) -> Text:
    *fewer, most = sorted(report.settings["threads"])
    threads = f"{most} thread{'s' * (most > 1)}" + "".join(f", {number} where it says /{number}" for number in fewer)
    rounds = report.settings["rounds"]
    fewer_rounds = any(len(timing.rounds) < rounds for timing in report.timings if timing.kind == kind)
    rounds = f"up to {rounds}" if fewer_rounds else f"{rounds}"
    title = f"\n{report.family.title} {kind}"
    return Text.assemble((title, "bold"), f": µs a call, best of {rounds} rounds, median below; {threads}")


def _table(rows: list[Row], report: Report) -> Table:
    names = names_in(rows)
    table = table_of(names, "best peer\n/ ours", "of\nsgemm")
    for row in rows:
        cells = [_cell(row, name, report) for name in names]
        table.add_row(str(row.case.shape), *cells, comparison(row), _share(row, report))
    return table


def _cell(row: Row, name: str, report: Report) -> Text:
    timing = row.timings.get(name)
    if not timing:
        return Text("-")
    threads = timing.threads
    mark = f"/{threads}" if threads != max(report.settings["threads"]) else ""
    peer = row.best_peer
    style = "bold" if timing in (row.ours, peer, peer and row.beside(peer.contender)) else ""
    return Text.assemble((microseconds(timing.best) + mark, style), "\n", (microseconds(timing.median), "dim"))


def _share(row: Row, report: Report) -> str:
    if not row.ours or row.case.kind == "step":
        return ""
    return f"{row.case.flops / row.ours.best / 1e3 / report.gflops:.2f}"


def _how_to_read(rows: list[Row], report: Report) -> Iterator[str]:
    beside = "what Python calls beside the layer or the runtime, oneDNN, called from C++ and without autograd, beside"
    like = f"; {beside} the engine as well" if any("onednn" in row.timings for row in rows) else ""
    yield f"best peer / ours: the time of the fastest other library over ours{like}"
    if report.own:
        yield "torch: a loop over the steps; torch.compile: that loop, compiled; jax: lax.scan over them, jitted"
    yield "of sgemm: our rate as a share of the machine's matrix product, measured in the same run"
    yield ""


def _means(rows: list[Row]) -> Iterator[str]:
    """Yield a line for each kind and opponent."""
    for kind in KINDS:
        long = [row for row in rows if row.case.kind == kind and row.case.shape.steps >= LONG]
        for name, peer in (("best peer", None), ("torch", "torch"), ("torch.compile", "torch.compile")):
            ratios = {row.case.shape: ratio for row in long if (ratio := row.ratio(peer))}
            if ratios:
                least = min(ratios, key=lambda shape: ratios[shape])
                shapes = f"{counted(len(ratios), 'shape')} of {LONG} steps and more"
                mean = f"{geometric_mean(ratios.values()):.2f}x, {shapes}"
                yield f"{kind}, {name} / ours: geometric mean {mean}, least {ratios[least]:.2f}x"


def _missing(report: Report) -> Iterator[str]:
    for name, needed in report.missing.items():
        yield f"missing: {name} ({needed})"


def _failures(report: Report) -> Iterator[str]:
    """Yield a line for each contender and reason."""
    said = sorted((failure.contender, failure.reason, f"{failure.kind} {failure.shape}") for failure in report.failures)
    for (contender, reason), each in groupby(said, key=lambda found: found[:2]):
        cases = list(dict.fromkeys(case for _, _, case in each))
        others = f" and {len(cases) - 1} more" if len(cases) > 1 else ""
        yield f"left out: {contender} at {cases[0]}{others}: {reason}"
