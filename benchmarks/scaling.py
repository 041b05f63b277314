"""How our layer and PyTorch's scale: time a step against steps, batch, hidden size, layers and threads; memory.

Each layer is timed on one thread and on two, of which the better counts.

python benchmarks/scaling.py --json benchmarks/results/scaling-avx2.json     measures, some six minutes
python benchmarks/scaling.py --json … --draw                            draws anew what was measured
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from rounds import KINDS, beside, pair

from elman.bench._contenders import OURS
from elman.bench._machine import describe, versions
from elman.bench._plot import finish

HERE = Path(__file__).parent
PICTURES = HERE.parent / "docs/images"


class Series(NamedTuple):
    """What grows, and all else that stays.

    Attributes:
        name: of what grows, ``x`` in ``at``.
        at: steps, batch, input and hidden size; then layers, where it is not one.
        values: what it grows to.
    """

    name: str
    at: tuple[str | int, ...]
    values: tuple[int, ...]

    @property
    def title(self) -> str:
        return ",".join(map(str, self.at[:4]))

    def sizes(self, value: int) -> list[int]:
        """Return them with the value in the place of x."""
        return [value if size == "x" else int(size) for size in self.at]


SERIES = (
    Series("steps", ("x", 1, 32, 64), (10, 100, 1000, 10_000, 100_000)),
    Series("steps", ("x", 16, 32, 64), (10, 100, 1000, 10_000)),
    Series("batch", (50, "x", 64, 64), (1, 2, 4, 16, 64, 256, 1024)),
    Series("hidden size", (20, 16, "x", "x"), (4, 16, 64, 128, 256, 512, 1024, 2048)),
    Series("layers", (100, 16, 64, 64, "x"), (1, 2, 4, 8)),
    Series("threads", (100, 32, 256, 256), (1, 2)),
)
MEMORY = Series("steps", ("x", 32, 128, 256), (10, 100, 1000, 10_000))


def point(series: Series, value: int) -> dict[str, Any]:
    """Return the microseconds a step of each layer and kind of work."""
    steps, batch, *sizes = series.sizes(value)
    threads = (value,) if series.name == "threads" else (1, 2)
    layers, x = pair(*sizes), torch.randn(steps, batch, sizes[0])
    found = {kind: beside(kind, layers, x, threads) for kind in KINDS}
    return {"x": value} | {kind: {name: time / steps for name, time in of.items()} for kind, of in found.items()}


def growth(sizes: Iterable[int], name: str, title: str = "RNN") -> float:
    """Return the megabytes by which a training step raises the peak of a fresh process."""
    command = [sys.executable, str(HERE / "memory.py"), name, title, ",".join(map(str, sizes))]
    return int(subprocess.run(command, check=True, capture_output=True).stdout) / 1e6


def measure() -> dict[str, Any]:
    torch.manual_seed(0)
    found = []
    for series in SERIES:
        points = []
        for value in series.values:
            points.append(point(series, value))
            print(f"{series.name} {series.title}", json.dumps(points[-1]), flush=True)
        found.append({"name": series.name, "at": series.title, "unit": "µs a step", "points": points})
    points = [
        {"x": value, "training": {name: growth(MEMORY.sizes(value), name) for name in ("elman", "torch")}}
        for value in MEMORY.values
    ]
    found.append({"name": MEMORY.name, "at": MEMORY.title, "unit": "MB of one training step", "points": points})
    return {"machine": describe(), "versions": versions(OURS), "series": found}


def draw(results: dict[str, Any]) -> None:
    """Draw a panel for each series: training in full lines, inference in broken ones."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    colours = {"elman": "#c2410c", "torch": "#1d4ed8"}
    styles = {"training": "-", "inference": "--"}
    figure, grid = pyplot.subplots(2, 4, figsize=(13, 6), layout="constrained", dpi=110)
    *panels, rest = grid.flat
    for panel, series in zip(panels, results["series"], strict=True):
        for kind, style in styles.items():
            points = [each for each in series["points"] if kind in each]
            for name, colour in colours.items() if points else ():
                values = [each["x"] for each in points], [each[kind][name] for each in points]
                panel.plot(*values, style, color=colour, marker="o", markersize=3, label=f"{name}, {kind}")
        panel.set_title(f"{series['unit']}\nsteps,batch,input,hidden {series['at']}", loc="left", fontsize=9)
        panel.set_xlabel(series["name"], fontsize=9)
        few = len(series["points"]) < 5 and series["name"] != "steps"
        if few:
            panel.set_xticks([each["x"] for each in series["points"]])
        else:
            panel.set_xscale("log", base=10 if series["name"] == "steps" else 2)
            panel.xaxis.set_major_formatter("{x:g}")
        finish(panel)
    rest.set_axis_off()
    rest.legend(*panels[0].get_legend_handles_labels(), loc="center left", frameon=False)
    figure.savefig(PICTURES / f"scaling-{results['machine']['instruction_set']}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--draw", action="store_true", help="what the file holds; measure nothing")
    options = parser.parse_args()
    if not options.draw:
        options.json.write_text(json.dumps(measure(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    draw(json.loads(options.json.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
