"""Every task with each cell, over seeds: what ``quality.py --cells rnn,gru,lstm`` measures and writes."""

import json
import math
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from quality_tasks import Task

__all__ = ["KEPT", "measure", "table", "write_pages"]

HERE = Path(__file__).parent
DOCS, KEPT = HERE.parent / "docs", HERE / "results" / "cells.json"
# A page for each language, with its headings of the table around those of the cells.
ENGLISH = ("task", "measure", "ahead of rnn")
PAGES = {"results.md": ENGLISH, "results.zh.md": ("任务", "指标", "胜过 rnn")}
BLOCK = re.compile(r"(<!-- cells -->\n).*?(<!-- end of cells -->)", re.DOTALL)
SMALLER_IS_BETTER = ("mae", "bits_per_character")
BASE = "rnn"  # the default, which another has to be ahead of

Row = dict[str, Any]


@dataclass(frozen=True)
class Figures:
    """The mean of a measure over seeds, its standard error, and the mean of the processor's seconds of training."""

    mean: float
    error: float
    seconds: float

    @classmethod
    def of(cls, values: Sequence[float], seconds: Sequence[float]) -> "Figures":
        error = stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
        return cls(fmean(values), error, fmean(seconds))

    def shown(self, measure: str) -> str:
        if measure == "accuracy":
            return f"{self.mean:.2%} ± {self.error:.2%}; {self.seconds:.0f} s"
        return f"{self.mean:.4g} ± {self.error:.2g}; {self.seconds:.0f} s"


def measure(
    tasks: Sequence[Task], cells: Sequence[str], seeds: Sequence[str], kept: Path, run: Callable[[Task, list[str]], Row]
) -> list[Row]:
    """Run what a file does not hold yet, and return all that it then holds: what was stopped goes on.

    Args:
        tasks, cells, seeds: each of all; cells take turns, so that they share the machine's moods.
        kept: the file, JSON.
        run: trains and measures a task with options of ``elman train``.
    """
    rows: list[Row] = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else []
    done = {(row["task"], row["seed"], row["cell"]) for row in rows}
    for task, seed, cell in product(tasks, seeds, cells):
        if (task.name, seed, cell) not in done:
            figures = run(task, ["--cell", cell, "--seed", seed])
            quality = {name: figures[name] for name in task.measures}
            seconds = figures["processor_seconds"]
            rows.append({"task": task.name, "seed": seed, "cell": cell, **quality, "seconds": seconds})
            print(json.dumps(rows[-1]), file=sys.stderr)
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return rows


def table(rows: Sequence[Row], tasks: Sequence[Task], words: Sequence[str] = ENGLISH) -> str:
    """Return each task's first measure and the processor's seconds of training, means over seeds, in Markdown.

    The last column says which of the other cells is the furthest ahead of the default, by how many standard errors of
    the difference, and how many times as long its training takes.

    Args:
        rows: what :func:`measure` returned.
        tasks: in the order of the table; those that lack a seed or a cell which others have are left out.
        words: the headings of the first two columns and of the last.
    """
    cells = list(dict.fromkeys(row["cell"] for row in rows))
    titles = [*words[:2], *cells, words[2]]
    lines = [f"| {' | '.join(titles)} |", "|" + "---|" * len(titles)]
    lines += [f"| {' | '.join(_columns(rows, task, cells))} |" for task in tasks if _is_whole(rows, task)]
    return "\n".join(lines)


def write_pages(rows: Sequence[Row], tasks: Sequence[Task]) -> None:
    """Put the table between its marks in the pages of results."""
    for name, words in PAGES.items():
        path = DOCS / name
        before, first, last, after = BLOCK.split(path.read_text(encoding="utf-8"))
        path.write_text(f"{before}{first}{table(rows, tasks, words)}\n{last}{after}", encoding="utf-8")


def _columns(rows: Sequence[Row], task: Task, cells: Sequence[str]) -> Iterator[str]:
    measure, found = task.measures[0], _of(rows, task)
    yield task.name
    yield measure.replace("_", " ").replace("f1", "F1").replace("mae", "MAE")
    yield from (found[cell].shown(measure) if cell in found else "" for cell in cells)
    yield _ahead(found, -1 if measure in SMALLER_IS_BETTER else 1)


def _ahead(found: dict[str, Figures], sign: int) -> str:
    base = found.get(BASE)
    gains = {cell: sign * (figures.mean - base.mean) for cell, figures in found.items() if base and cell != BASE}
    best = max(gains, key=gains.__getitem__, default=BASE)
    if base is None or gains.get(best, 0) <= 0:
        return ""
    error = math.hypot(base.error, found[best].error)
    errors = f"{gains[best] / error:.1f} standard errors, " if error else ""
    return f"{best}: {errors}{found[best].seconds / base.seconds:.1f}x the time"


def _is_whole(rows: Sequence[Row], task: Task) -> bool:
    every = {row["seed"] for row in rows}, {row["cell"] for row in rows}
    return {(row["seed"], row["cell"]) for row in rows if row["task"] == task.name} == {*product(*every)}


def _of(rows: Sequence[Row], task: Task) -> dict[str, Figures]:
    """Return a task's figures by cell."""
    by_cell: dict[str, list[Row]] = {}
    for row in rows:
        if row["task"] == task.name:
            by_cell.setdefault(row["cell"], []).append(row)
    measure = task.measures[0]
    return {
        cell: Figures.of([row[measure] for row in of_cell], [row["seconds"] for row in of_cell])
        for cell, of_cell in by_cell.items()
    }
