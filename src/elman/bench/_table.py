"""What a person reads: the machine, a table for each kind of work, the means, and who is not in it."""

from collections.abc import Iterator
from itertools import groupby

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from elman._figures import counted
from elman.bench._cases import KINDS
from elman.bench._contenders import OURS, PEERS
from elman.bench._report import LONG, Report, Row, geometric_mean

__all__ = ["WIDTH", "as_text", "show"]

WIDTH = 100  # holds the table of all contenders
NAMES = [contender.name for contender in (*OURS, *PEERS)]
HEADS = {"onnxruntime": "onnx-\nruntime", "openvino": "open-\nvino"} | {
    our.name: our.name.replace(" ", "\n") for our in OURS
}
HOW_TO_READ = (
    "best peer / ours: the time of the fastest other library over ours; what Python calls beside the",
    "layer or the runtime, oneDNN, called from C++ and without autograd, beside the engine as well",
    "of sgemm: our rate as a share of the machine's matrix product, measured in the same run",
    "",
)


def show(report: Report) -> None:
    """Print it on standard output."""
    console = Console(highlight=False)
    if not console.is_terminal or console.width < WIDTH:
        console = Console(highlight=False, width=WIDTH)
    console.print(_group(report))


def as_text(report: Report) -> str:
    """Return it without colours."""
    console = Console(width=WIDTH, no_color=True, color_system=None, force_terminal=False)
    with console.capture() as captured:
        console.print(_group(report))
    return "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def _group(report: Report) -> Group:
    rows = report.rows()
    parts: list[Text | Table] = [_head(report)]
    for kind in KINDS:
        of_kind = [row for row in rows if row.case.kind == kind]
        if of_kind:
            parts += [_legend(kind, report), _table(of_kind, report)]
    notes = [*HOW_TO_READ, *_means(rows), *_missing(report), *_failures(report)]
    return Group(*parts, Text("\n".join(["", *notes])))


def _head(report: Report) -> Text:
    machine, rates = report.machine, report.machine["rates"]
    lines = [
        f"{machine['processor']}, {machine['architecture']}, {machine['cores']} cores, {machine['system']}",
        f"instruction set {machine['instruction_set']}; float32 matrix product {report.gflops:.0f} Gflop/s "
        f"(MKL {rates['torch']:.0f}, OpenBLAS {rates['numpy']:.0f}); copy {rates['copy']:.1f} GB/s",
        *_wrapped([f"{package} {version}" for package, version in report.versions.items()]),
    ]
    return Text("\n".join(lines))


def _wrapped(parts: list[str]) -> list[str]:
    """Return lines of the parts with commas between, none longer than the table."""
    lines = [parts[0]]
    for part in parts[1:]:
        if len(lines[-1]) + len(part) + 3 > WIDTH:
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
    names = [name for name in NAMES if any(name in row.timings for row in rows)]
    table = Table(box=None, padding=(0, 0, 0, 1), pad_edge=False, header_style="")
    table.add_column("steps,batch,\ninput,hidden", no_wrap=True)
    for name in names:
        table.add_column(HEADS.get(name, f"\n{name}"), justify="right", no_wrap=True)
    for head in ("best peer\n/ ours", "of\nsgemm"):
        table.add_column(head, justify="right", no_wrap=True)
    for row in rows:
        cells = [_cell(row, name, report) for name in names]
        table.add_row(str(row.case.shape), *cells, _comparison(row), _share(row, report))
    return table


def _cell(row: Row, name: str, report: Report) -> Text:
    timing = row.timings.get(name)
    if not timing:
        return Text("-")
    threads = timing.threads
    mark = f"/{threads}" if threads != max(report.settings["threads"]) else ""
    peer = row.best_peer
    style = "bold" if timing in (row.ours, peer, peer and row.beside(peer.contender)) else ""
    return Text.assemble((_number(timing.best) + mark, style), "\n", (_number(timing.median), "dim"))


def _number(microseconds: float) -> str:
    """Return three figures or more, in at most five characters."""
    value, unit = microseconds, ""
    if value >= 99_999.5:
        value, unit = value / 1e3, "ms"
    if value >= 999.5 and unit:
        value, unit = value / 1e3, "s"
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f}{unit}"


def _comparison(row: Row) -> Text:
    ratio, peer = row.ratio(), row.best_peer
    if not ratio or not peer:
        return Text("-")
    return Text.assemble((f"{ratio:.2f}x", "green" if ratio >= 1 else "red"), "\n", (peer.contender, "dim"))


def _share(row: Row, report: Report) -> str:
    if not row.ours or row.case.kind == "step":
        return ""
    return f"{row.case.flops / row.ours.best / 1e3 / report.gflops:.2f}"


def _means(rows: list[Row]) -> Iterator[str]:
    """Yield a line for each kind and opponent."""
    for kind in KINDS:
        long = [row for row in rows if row.case.kind == kind and row.case.shape.steps >= LONG]
        for name, peer in (("best peer", None), ("torch", "torch")):
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
