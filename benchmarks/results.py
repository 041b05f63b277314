"""Writes what was measured into RESULTS.md and the README, English and Chinese.

    python benchmarks/results.py        reads as much as there is of benchmarks/results

For each kind of processor, which is known by the instruction set that the engine used: a table and targets a cell, and
how the layer scales.
``make benchmark``, ``make scaling`` and ``make targets`` measure, and then call this.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from elman._cells import FAMILIES, Family
from elman.bench._report import LONG, Report, Row, geometric_mean
from elman.bench._table import as_text

HERE = Path(__file__).parent
PAGE, MEASURED = HERE / "RESULTS.md", HERE / "results"
TITLES = {"avx512": "AVX-512", "avx2": "AVX2", "neon": "NEON"}  # of kinds of processors


class Words(NamedTuple):
    """The headings of a README's tables of speed, in its language."""

    kind: str
    sizes: str
    inference: str
    training: str
    peer: str
    mean: str


READMES = {
    HERE.parent / "README.md": Words(
        "{title} ({processor}, {cores} cores)",
        "steps, batch, input, hidden",
        "inference",
        "training",
        "best peer",
        "{}, geometric mean",
    ),
    HERE.parent / "README.zh.md": Words(
        "{title}（{processor}，{cores} 核）",
        "步数、批、输入、隐藏单元",
        "推理",
        "训练",
        "最快的其他库",
        "{}，几何平均",
    ),
}
BLOCK = re.compile(r"(<!-- speed:.*?-->\n).*?(<!-- end of speed -->)", re.DOTALL)
KINDS = ("inference", "training")

HEAD = """\
# Speed

Written by `make benchmark`, `make scaling` and `make targets`; what they measured lies in [results](results).

## Beside other libraries

A cell is the microseconds of one call: the best round and, below it, the median of all; contenders take turns round by
round, each in processes of its own, on one thread and on two, of which the better counts, and each one's numbers are
checked against the equations in float64 before it is timed. `elman layer` is `elman.nn`'s (a step: `RNNCell`,
`GRUCell`, `LSTMCell`) on PyTorch tensors and `elman runtime` is `elman.runtime`'s (a step: its stream) on NumPy
arrays, both with all that a call from Python costs, autograd and every gradient where it is training; ONNX Runtime and
numba are called with arrays of their own. oneDNN is called from C++ and knows no autograd: beside it stands the fastest
of ours, `elman engine` included, which is the engine's forward and backward pass without autograd. Read the ratios,
taken side by side in one run: `best peer / ours` is how many times as long the best other library takes, and
`of sgemm` is our rate as a share of the machine's own matrix product in the same run.

Each kind of processor has the latest run on one of its kind.
"""
HISTORY = """\
## From commit to commit

`make history` adds a line to [history.jsonl](history.jsonl): for each cell what PyTorch takes over what ours takes,
and our share of the machine's matrix product, at 100,1,32,64, 100,32,64,64 and 100,32,256,256. The picture shows the
geometric means.

![ratios and shares of each commit, a column for each kind of processor](../docs/images/history.png)
"""
NO_ENGINE = "The engine alone was not timed in this run: oneDNN stands beside the layer and the runtime.\n"


def main() -> None:
    kinds = {kind: _reports(kind) for kind in _kinds()}
    parts = [HEAD]
    for kind, reports in kinds.items():
        for report in reports:
            parts += _section(kind, report)
    for kind in kinds:
        if scaling := _read(f"scaling-{kind}.json"):
            parts.append("\n".join(_scaling(kind, json.loads(scaling))))
    parts.append(HISTORY)
    PAGE.write_text("\n".join(parts), encoding="utf-8")
    for readme, words in READMES.items():
        before, first, last, after = BLOCK.split(readme.read_text(encoding="utf-8"))
        headline = "\n".join(line for reports in kinds.values() for line in _headline(reports, words))
        readme.write_text("".join([before, first, headline, last, after]), encoding="utf-8")


def _read(name: str) -> str | None:
    path = MEASURED / name
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _kinds() -> list[str]:
    """Return the kinds of processors on which there are tables, the narrowest vectors first."""
    found = {path.stem.split("-")[2] for path in MEASURED.glob("table-*-*.json")}
    return sorted(found, key=lambda kind: (kind not in TITLES, len(kind), kind))


def _reports(kind: str) -> list[Report]:
    return [Report.from_json(text) for cell in FAMILIES if (text := _read(f"table-{cell}-{kind}.json"))]


def _section(kind: str, report: Report) -> Iterator[str]:
    """Yield the parts about a cell on a kind of processor: the table, the picture, what else it is held to."""
    family, title = report.family, f"{report.family.title}, {TITLES.get(kind, kind)}"
    yield f"### {title}\n\n```\n{as_text(report)}```\n"
    if not any(timing.contender == "elman engine" for timing in report.timings):
        yield NO_ENGINE
    yield f"![{title}: time a step against hidden size](../docs/images/speed-{family.name}-{kind}.png)\n"
    if targets := _read(f"targets-{family.name}-{kind}.json"):
        yield "\n".join(_targets(family, json.loads(targets)))


def _headline(reports: list[Report], words: Words) -> Iterator[str]:
    """Yield the lines of a table of the README: the long shapes, ours, and how many times as long others take.

    Of cells after the first the means alone.
    """
    machine = reports[0].machine
    yield words.kind.format(title=TITLES.get(machine["instruction_set"], machine["instruction_set"]), **machine)
    yield ""
    peer = words.peer
    yield f"| {words.sizes} | {words.inference} | {peer} | torch | {words.training} | {peer} | torch |"
    yield "|---|---|---|---|---|---|---|"
    for report in reports:
        rows = {(row.case.kind, row.case.shape): row for row in report.rows() if row.case.shape.steps >= LONG}
        for shape in dict.fromkeys(shape for _, shape in rows) if report is reports[0] else ():
            cells = [cell for kind in KINDS for cell in _cells(rows[kind, shape])]
            yield f"| {', '.join(map(str, shape))} | {' | '.join(cells)} |"
        means = [
            cell
            for kind in KINDS
            for cell in ("", *(f"**{_figure(_mean(rows, kind, other))}x**" for other in (None, "torch")))
        ]
        yield f"| {words.mean.format(report.family.title)} | {' | '.join(means)} |"
    yield ""


def _cells(row: Row) -> tuple[str, str, str]:
    ours, peer, ratio, torch = row.ours, row.best_peer, row.ratio(), row.ratio("torch")
    if not (ours and peer and ratio and torch):
        return "", "", ""
    best = f"{ours.best:.0f} µs" if ours.best < 1e4 else f"{ours.best / 1e3:.1f} ms"
    return best, f"{_figure(ratio)}x ({peer.contender})", f"{_figure(torch)}x"


def _figure(value: float) -> str:
    """Return three figures, or all before the point."""
    return f"{value:#.3g}".removesuffix(".") if value < 100 else f"{value:,.0f}"


def _mean(rows: dict[Any, Row], kind: str, peer: str | None) -> float:
    return geometric_mean(ratio for row in rows.values() if row.case.kind == kind and (ratio := row.ratio(peer)))


def _machine(results: dict[str, Any]) -> str:
    machine, versions = results["machine"], ", ".join(map(" ".join, results["versions"].items()))
    return (
        f"{machine['processor']}, {machine['cores']} cores, instruction set {machine['instruction_set']}; {versions}."
    )


def _targets(family: Family, results: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the table of targets."""
    yield f"What else the speed of {family.title} is held to: {_machine(results)}\n"
    yield "| | steps, batch, input, hidden | elman | torch | target | |\n|---|---|---|---|---|---|"
    for row in results["rows"]:
        ours, theirs = (f"{_figure(value)} {row['unit']}" if value else "" for value in (row["figure"], row["torch"]))
        mark = "met" if row["met"] else "missed"
        yield f"| {row['what']} | {row['at']} | {ours} | {theirs} | {row['target']} | {mark} |"
    yield ""


def _scaling(kind: str, results: dict[str, Any]) -> Iterator[str]:
    """Yield the picture and the tables of the scaling study on a kind of processor."""
    yield f"## How it scales, {TITLES.get(kind, kind)}\n\n{_machine(results)}\n"
    yield f"![the scaling study](../docs/images/scaling-{kind}.png)\n"
    for series in results["series"]:
        kinds = [kind for kind in KINDS if kind in series["points"][0]]
        heads = [f"{kind}: {name}" for kind in kinds for name in ("elman", "torch")]
        yield f"{series['unit']} at {series['at']}:\n"
        yield f"| {series['name']} | {' | '.join(heads)} |\n|---{'|---' * len(heads)}|"
        for point in series["points"]:
            cells = [_figure(point[kind][name]) for kind in kinds for name in ("elman", "torch")]
            yield f"| {point['x']} | {' | '.join(cells)} |"
        yield ""


if __name__ == "__main__":
    main()
