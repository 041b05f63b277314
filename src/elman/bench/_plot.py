"""A picture: time a step against hidden size, a line for each contender, a panel for each kind of work and batch."""

from pathlib import Path
from typing import Any

from elman._pictures import INK, MUTED, blank, tidy, write_picture
from elman.bench._contenders import OURS
from elman.bench._report import LONG, Report, Row

__all__ = ["finish", "plot"]

PANEL = 3.6, 3.2  # inches
MANY = 2000  # times the least value: too many for values between the powers of ten
OWN = [contender.name for contender in OURS]
COLOURS = {
    "elman layer": "#c2410c",
    "elman runtime": "#f59e0b",
    "elman engine": "#a16207",
    "torch": "#1d4ed8",
    "torch.compile": "#0891b2",
    "jax": "#7c3aed",
    "onnxruntime": "#0f766e",
    "openvino": "#65a30d",
    "numba": "#db2777",
    "onednn": "#475569",
}


def plot(path: Path, report: Report) -> None:
    """Draw the best rounds and write the picture, as the suffix of its name says."""
    lines = _panels(report)
    height, width = len(lines), max(map(len, lines.values()))
    figure = blank(PANEL[0] * width, PANEL[1] * height + 0.5)
    handles: dict[str, Any] = {}
    for line, (kind, batches) in enumerate(lines.items()):
        for column, (batch, rows) in enumerate(batches.items()):
            panel = figure.add_subplot(height, width, line * width + column + 1)
            panel.set_title(f"{report.family.title} {kind}, batch {batch}", loc="left", fontsize=10, color=INK)
            handles |= _draw(panel, rows)
    figure.supylabel("µs a step", fontsize=9, color=MUTED)
    named = {name: handles[name] for name in COLOURS if name in handles}
    style: dict[str, Any] = {"ncols": max(2, 3 * width - 1), "frameon": False, "fontsize": 8}
    figure.legend(named.values(), named.keys(), loc="outside upper left", **style)
    write_picture(path, figure)


def _panels(report: Report) -> dict[str, dict[int, list[Row]]]:
    """Return the rows by kind and batch.

    Without those of few steps, whose time is that of a call, and without lone points; unless there is nothing else.
    """
    found: dict[str, dict[int, list[Row]]] = {}
    for row in report.rows():
        found.setdefault(row.case.kind, {}).setdefault(row.case.shape.batch, []).append(row)
    for kind, batches in found.items():
        long = {batch: [row for row in rows if row.case.shape.steps >= LONG] for batch, rows in batches.items()}
        fit = {batch: rows for batch, rows in sorted(long.items()) if len(rows) > 1}
        found[kind] = fit or dict(sorted(batches.items()))
    return found


def _draw(panel: Any, rows: list[Row]) -> dict[str, Any]:
    """Draw the lines of a panel and return them by contender."""
    lines = {}
    for name, colour in COLOURS.items():
        timings = [row.timings[name] for row in rows if name in row.timings]
        points = sorted((timing.shape.hidden_size, timing.best / timing.shape.steps) for timing in timings)
        if points:
            width = 2.2 if name in OWN else 1.1
            (lines[name],) = panel.plot(
                *zip(*points, strict=True), color=colour, marker="o", markersize=3, linewidth=width
            )
    sizes = sorted({row.case.shape.hidden_size for row in rows})
    panel.set_xscale("log", base=2)
    panel.set_xticks(sizes, [str(size) for size in sizes], minor=False)
    panel.set_xticks([], minor=True)
    panel.set_xlabel("hidden size", fontsize=9, color=MUTED)
    finish(panel)
    return lines


def finish(panel: Any) -> None:
    """Give a panel whose lines are drawn a logarithmic axis of values, and what all panels have."""
    from matplotlib.ticker import LogLocator, NullLocator

    panel.set_yscale("log")
    least, most = panel.get_ylim()
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if most < MANY * least else (1,)))
    panel.yaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_major_formatter("{x:g}")
    tidy(panel, 8)
