"""How long a policy with a memory takes to learn: with resets=, by a loop over the steps, and by PyTorch's layer in it.

Runs examples/recipes/ppo.py, a process at a time, for each of three seeds; draws the mean return against the time.

python benchmarks/policy.py --json benchmarks/results/policy.json     measures, some ten minutes
python benchmarks/policy.py --json … --draw                           draws anew what was measured
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from elman._pictures import INK, MUTED, blank, tidy, write_picture
from elman.bench._machine import describe

ROOT = Path(__file__).parents[1]
PROGRAM = ROOT / "examples/recipes/ppo.py"
PICTURE = ROOT / "docs/images/ppo.png"
WAYS = {
    "resets": ("#c2410c", "elman.nn.GRU, resets="),
    "loop": ("#0f766e", "elman.nn.GRU in a loop"),
    "torch": ("#1d4ed8", "torch.nn.GRU in a loop"),
}
SEEDS = range(3)
LINE = re.compile(r"(\d+) steps +([\d.]+) s +mean return +([\d.]+)")


def curve(by: str, seed: int) -> list[list[float]]:
    """Learn once: after each update, steps, seconds of processor time and mean return."""
    command = [sys.executable, str(PROGRAM), "--by", by, "--seed", str(seed)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [[float(number) for number in line] for line in LINE.findall(printed)]


def measure() -> dict[str, Any]:
    curves: dict[str, list[list[list[float]]]] = {by: [] for by in WAYS}
    for seed in SEEDS:
        for by, of_seeds in curves.items():
            of_seeds.append(curve(by, seed))
            print(f"{by}, seed {seed}: {len(of_seeds[-1])} updates, the last {of_seeds[-1][-1]}", flush=True)
    return {"machine": describe(), "curves": curves}


def draw(results: dict[str, Any]) -> None:
    """Draw a line for each way and seed: by the time on the left, by the steps on the right."""
    figure = blank(7.6, 3.4)
    panels = figure.subplots(1, 2, sharey=True)
    for by, (colour, name) in WAYS.items():
        for seed, points in enumerate(results["curves"][by]):
            steps, seconds, returns = zip(*points, strict=True)
            label = name if seed == 0 else None
            panels[0].plot(seconds, returns, color=colour, linewidth=1.8, label=label)
            panels[1].plot([1e-3 * count for count in steps], returns, color=colour, linewidth=1.2)
    panels[0].set_ylabel("mean return of the last 100 episodes", fontsize=9, color=MUTED)
    for panel, title in zip(panels, ("seconds of processor time", "thousand steps of CartPole"), strict=True):
        panel.set_xlabel(title, fontsize=9, color=MUTED)
        panel.axhline(475, color=INK, linewidth=0.8, linestyle=":")
        panel.set(xlim=(0, None), ylim=(0, 500))
        tidy(panel)
    panels[0].annotate(
        "learnt",
        (1, 475),
        (-2, 3),
        ha="right",
        fontsize=8,
        color=INK,
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
    )
    figure.legend(loc="outside upper left", ncols=3, frameon=False, fontsize=9)
    write_picture(PICTURE, figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--draw", action="store_true", help="what the file holds; measure nothing")
    options = parser.parse_args()
    if not options.draw:
        options.json.write_text(json.dumps(measure()) + "\n", encoding="utf-8")
    draw(json.loads(options.json.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
