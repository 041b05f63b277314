"""The speed of each commit: what PyTorch takes over what we take, and our share of the machine's matrix product.

    python benchmarks/history.py                        measures, two minutes on an idle machine, and draws
    python benchmarks/history.py --draw                 draws what history.jsonl holds
    python benchmarks/history.py --table table-rnn-avx2.json --commit 3a60121    takes what elman bench measured

A line of history.jsonl is of a commit on a kind of processor; measured again, it is replaced.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from elman._cells import FAMILIES
from elman._pictures import INK, MUTED, blank, tidy, write_picture
from elman._processors import processors
from elman.bench._cases import Shape, cases_of
from elman.bench._contenders import peers_of
from elman.bench._measuring import measure
from elman.bench._report import Report, geometric_mean

HERE = Path(__file__).parent
LINES, PICTURE = HERE / "history.jsonl", HERE.parent / "docs/images/history.png"
KINDS = {"inference": "--", "training": "-"}
SHAPES = [Shape(100, 1, 32, 64), Shape(100, 32, 64, 64), Shape(100, 32, 256, 256)]
ROUNDS, SECONDS = 5, 0.02
BUSY = 0.5  # processors' worth of other work before the run, above which its figures are no measure
COLOURS = dict(zip(FAMILIES, ("#c2410c", "#1d4ed8", "#0f766e"), strict=True))
PANEL = 4.6, 2.7  # inches

Line = dict[str, Any]


def ratios_of(report: Report) -> dict[str, dict[str, float]]:
    """Return by kind of work, cell and shape what PyTorch takes over ours, and our share of the machine's product."""
    found = {}
    for row in report.rows():
        ratio, ours = row.ratio("torch"), row.ours
        if row.case.kind in KINDS and row.case.shape in SHAPES and ratio and ours:
            share = row.case.flops / ours.best / 1e3 / report.gflops
            figures = {"torch": float(f"{ratio:.3g}"), "product": float(f"{share:.3g}")}
            found[f"{row.case.family.name} {row.case}"] = figures
    return found


def line_of(reports: list[Report], commit: str, load: float | None) -> Line:
    """Return a line: the commit, its date, the machine, how busy that was (None: unknown), and the ratios."""
    machine = reports[0].machine
    return {
        "commit": _git("rev-parse", "--short=7", commit),
        "date": _git("show", "--no-patch", "--format=%cs", commit),
        "kind": machine["instruction_set"],
        "processor": machine["processor"],
        "cores": machine["cores"],
        "load": load,
        "product": round(max(report.gflops for report in reports)),  # Gflop/s
        "ratios": {name: figures for report in reports for name, figures in ratios_of(report).items()},
    }


def measured() -> list[Report]:
    """Return a report for each cell, of ours beside PyTorch's."""
    threads = sorted({1, min(2, processors())})
    cases = {cell: cases_of([*KINDS], SHAPES, cell) for cell in FAMILIES}
    return [measure(of, peers_of(["torch"]), threads, ROUNDS, SECONDS, _say) for of in cases.values()]


def noted(lines: list[Line], line: Line) -> list[Line]:
    """Return the lines with one more, or one replaced; commits in the order of git's history."""
    kept = [each for each in lines if (each["commit"], each["kind"]) != (line["commit"], line["kind"])]
    order = _git("log", "--format=%h", "--abbrev=7").split()
    places = {commit: -place for place, commit in enumerate(order)}
    return sorted([*kept, line], key=lambda each: places.get(each["commit"], -len(order)))


def draw(lines: list[Line]) -> None:
    """Draw a column for each kind of processor: ratios above, shares below, a line for each cell and kind of work."""
    kinds = list(dict.fromkeys(line["kind"] for line in lines))
    figure = blank(PANEL[0] * len(kinds), 2 * PANEL[1] + 0.4)
    heads = {"torch": "torch / ours", "product": "of the machine's product"}
    handles: dict[str, Any] = {}
    for column, kind in enumerate(kinds):
        of_kind = [line for line in lines if line["kind"] == kind]
        for row, (name, head) in enumerate(heads.items()):
            panel = figure.add_subplot(2, len(kinds), row * len(kinds) + column + 1)
            panel.set_title(f"{head}: {of_kind[-1]['processor']}, {kind}", loc="left", fontsize=9, color=INK)
            handles |= _draw(panel, of_kind, name)
            panel.set_ylim(bottom=0)
            panel.set_xticks(range(len(of_kind)), [_place(line) for line in of_kind], rotation=30, ha="right")
            panel.margins(x=0.08)
            tidy(panel, 7)
    figure.supxlabel("commit; * the machine was busy", fontsize=8, color=MUTED)
    figure.legend(handles.values(), handles, loc="outside upper left", ncols=6, frameon=False, fontsize=8)
    write_picture(PICTURE, figure)


def _draw(panel: Any, lines: list[Line], name: str) -> dict[str, Any]:
    handles = {}
    for cell, colour in COLOURS.items():
        for kind, style in KINDS.items():
            points = [(x, mean) for x, line in enumerate(lines) if (mean := _mean(line, f"{cell} {kind} ", name))]
            if points:
                options = {"color": colour, "linewidth": 1.4, "marker": "o", "markersize": 4}
                options |= {"markerfacecolor": "white" if kind == "inference" else colour}
                (handles[f"{FAMILIES[cell].title} {kind}"],) = panel.plot(*zip(*points, strict=True), style, **options)
    return handles


def _mean(line: Line, prefix: str, name: str) -> float | None:
    figures = [each[name] for of, each in line["ratios"].items() if of.startswith(prefix)]
    return geometric_mean(figures) if figures else None


def _place(line: Line) -> str:
    return f"{line['commit']}{'*' if (line['load'] or 0) > BUSY else ''}\n{line['date'][5:]}"


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=HERE, check=True, capture_output=True, text=True).stdout.strip()


def _say(what: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{what}", end="", file=sys.stderr, flush=True)


def _read(lines: Iterable[str]) -> list[Line]:
    return [json.loads(line) for line in lines if line.strip()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draw", action="store_true", help="what there is; measure nothing")
    parser.add_argument("--table", type=Path, action="append", help="of elman bench --json, instead of measuring")
    parser.add_argument("--commit", default="HEAD", help="of what is measured")
    options = parser.parse_args()
    lines = _read(LINES.read_text(encoding="utf-8").splitlines()) if LINES.is_file() else []
    if not options.draw:
        load = None if options.table else round(os.getloadavg()[0], 2)
        if not options.table and _git("status", "--porcelain", "--", "../src", "../engine"):
            sys.exit("history.py: src and engine: expected what was committed, for a line is of a commit")
        if load and load > BUSY:
            print(f"history.py: the machine is busy (load {load}), and the line says so", file=sys.stderr)
        reports = [Report.from_json(path.read_text(encoding="utf-8")) for path in options.table or ()] or measured()
        lines = noted(lines, line_of(reports, options.commit, load))
        LINES.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    draw(lines)


if __name__ == "__main__":
    main()
