"""Writes what was measured into RESULTS.md and the README, English and Chinese.

    python benchmarks/results.py        reads as much as there is of benchmarks/results: a table and targets a cell

``make benchmark``, ``make scaling`` and ``make targets`` measure, and then call this.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from elman._cells import FAMILIES, Family
from elman.bench._report import LONG, Report, Row, geometric_mean
from elman.bench._table import as_text

HERE = Path(__file__).parent
PAGE, MEASURED = HERE / "RESULTS.md", HERE / "results"
# A README for each language, with its headings of the table of speed.
READMES = {
    HERE.parent / "README.md": (
        "steps, batch, input, hidden",
        "inference",
        "training",
        "best peer",
        "{}, geometric mean",
    ),
    HERE.parent / "README.zh.md": ("步数、批、输入、隐藏单元", "推理", "训练", "最快的其他库", "{}，几何平均"),
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
"""


def main() -> None:
    reports = [Report.from_json(text) for cell in FAMILIES if (text := _read(f"table-{cell}.json"))]
    parts = [HEAD]
    for report in reports:
        parts += _section(report)
    if scaling := _read("scaling.json"):
        parts.append("\n".join(_scaling(json.loads(scaling))))
    PAGE.write_text("\n".join(parts), encoding="utf-8")
    for readme, words in READMES.items():
        before, first, last, after = BLOCK.split(readme.read_text(encoding="utf-8"))
        headline = "\n".join(_headline(reports, *words))
        readme.write_text("".join([before, first, headline, last, after]), encoding="utf-8")


def _read(name: str) -> str | None:
    path = MEASURED / name
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _section(report: Report) -> Iterator[str]:
    """Yield the parts about a cell: the table, the picture, what else it is held to."""
    family = report.family
    yield f"### {family.title}\n\n```\n{as_text(report)}```\n"
    yield f"![{family.title}: time a step against hidden size](../docs/images/speed-{family.name}.png)\n"
    if targets := _read(f"targets-{family.name}.json"):
        yield "\n".join(_targets(family, json.loads(targets)))


def _headline(reports: list[Report], sizes: str, inference: str, training: str, peer: str, mean: str) -> Iterator[str]:
    """Yield the lines of the README's table: the long shapes, ours, and how many times as long others take.

    Of cells after the first the means alone.
    """
    yield f"| {sizes} | {inference} | {peer} | torch | {training} | {peer} | torch |"
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
        yield f"| {mean.format(report.family.title)} | {' | '.join(means)} |"
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


def _scaling(results: dict[str, Any]) -> Iterator[str]:
    """Yield the picture and the tables of the scaling study."""
    yield f"## How it scales\n\n{_machine(results)}\n\n![the scaling study](../docs/images/scaling.png)\n"
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
