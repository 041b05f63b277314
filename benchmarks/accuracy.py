"""How far float32 layers are from the equations in float64: our error over torch's, shape by shape.

``python benchmarks/accuracy.py`` prints the table for the whole grid, ``--quick`` for a part of it. The tests
hold the same table to the promise: at most ``WORST`` at any one place and ``MEAN`` as the geometric mean.
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor

import elman.nn

__all__ = [
    "GATED",
    "GATED_GRID",
    "GRID",
    "MEAN",
    "QUICK_GATED_GRID",
    "QUICK_GRID",
    "WORST",
    "Shape",
    "error_ratios",
    "geometric_mean",
    "table",
]

MEAN, WORST = 1.0, 1.1


class Shape(NamedTuple):
    """A point of the grid."""

    steps: int
    batch: int
    input_size: int
    hidden_size: int
    cell: str = "tanh"

    @property
    def seeds(self) -> int:
        """At least 64, and enough that the smallest results, h_n and the biases' gradients, are some 1000 numbers,
        whose ratio is then known to about 3%. Large layers, of which each holds many numbers, take fewer."""
        return max(64, 1000 // self.hidden_size) if self.hidden_size < 256 else 6


QUICK_GRID = (
    Shape(3, 1, 1, 1),  # a thousand seeds of it
    Shape(20, 1, 4, 6),
    Shape(40, 1, 1, 40),
    Shape(40, 1, 8, 33),
    Shape(30, 8, 20, 50),
    Shape(20, 8, 50, 20, "relu"),
    Shape(40, 4, 32, 64),
    Shape(20, 2, 128, 128),
)
GATED = ("gru", "lstm")
QUICK_GATED_GRID = tuple(
    Shape(*sizes, cell)
    for cell in GATED
    for sizes in ((3, 1, 1, 1), (12, 1, 4, 6), (25, 1, 1, 40), (15, 8, 20, 50), (20, 4, 32, 64))
)
GATED_GRID = tuple(
    Shape(*sizes, cell)
    for cell in GATED
    for sizes in (
        *((100, 1, 1, hidden) for hidden in (1, 2, 4, 8, 16, 33, 50)),
        *((100, 1, 8, hidden) for hidden in (1, 16, 50)),
        *((50, 4, 32, hidden) for hidden in (1, 16, 50, 64)),
        (1, 1, 4, 6),
        (100, 1, 128, 256),
        (50, 4, 128, 128),
        (100, 32, 64, 64),
        (30, 4, 512, 512),
    )
)
GRID = (
    *(Shape(100, 1, 1, hidden) for hidden in (1, 2, 3, 4, 6, 8, 10, 16, 20, 24, 33, 40, 50, 64, 100)),
    *(Shape(100, 1, 8, hidden) for hidden in (1, 5, 16, 33, 50)),
    *(Shape(50, 4, 32, hidden) for hidden in (1, 4, 16, 30, 50, 64)),
    *(Shape(100, 1, 32, hidden) for hidden in (10, 32, 64)),
    *(Shape(50, 4, 16, hidden, "relu") for hidden in (1, 8, 33, 50, 128)),
    Shape(1, 1, 4, 6),
    Shape(3, 1, 2, 4),
    Shape(100, 1, 128, 256),
    Shape(100, 1, 300, 3),
    Shape(50, 4, 128, 128),
    Shape(200, 16, 40, 128),
    Shape(100, 32, 64, 64),
    Shape(50, 4, 512, 512),
    Shape(30, 4, 1024, 1024),
)


def results(layer: torch.nn.RNNBase, input: Tensor, states: list[Tensor], arriving: list[Tensor]) -> dict[str, Tensor]:
    """Outputs and gradients of one run, by name. torch sums the gradients of the two biases in different orders."""
    leaves = {"d_input": input.clone().requires_grad_()}
    leaves |= {name: state.clone().requires_grad_() for name, state in zip(("d_hx", "d_cx"), states, strict=False)}
    given = [*leaves.values()][1:]
    output, final = layer(leaves["d_input"], tuple(given) if len(given) == 2 else given[0])
    outputs = [output, *(final if isinstance(final, tuple) else (final,))]
    leaves |= {f"d_{name[:-3]}": p for name, p in layer.named_parameters()}
    found = torch.autograd.grad(outputs, list(leaves.values()), arriving)
    return {**dict(zip(("output", "h_n", "c_n"), outputs, strict=False)), **dict(zip(leaves, found, strict=True))}


def error_ratios(shape: Shape, layer: Callable[..., torch.nn.RNNBase] | None = None) -> dict[str, float]:
    """The RMS error of a float32 layer, ours unless given, over torch's, pooled over the shape's seeds, of each result.

    A seed whose results are larger than most counts by its relative error: where gradients explode, as they do for one
    seed in hundreds, that seed's luck would otherwise be the ratio.
    """
    name, options = (shape.cell.upper(), {}) if shape.cell in GATED else ("RNN", {"nonlinearity": shape.cell})
    theirs = getattr(torch.nn, name)
    candidates = [
        kind(shape.input_size, shape.hidden_size, **options, dtype=dtype)
        for kind, dtype in [
            (theirs, torch.float64),
            (theirs, torch.float32),
            (layer or getattr(elman.nn, name), torch.float32),
        ]
    ]
    squares: dict[str, list[tuple[float, float, float]]] = {}  # of each seed: the result, torch's error, ours
    for seed in range(shape.seeds):
        torch.manual_seed(seed)
        candidates[1].reset_parameters()
        input = torch.randn(shape.steps, shape.batch, shape.input_size)
        states = [torch.randn(1, shape.batch, shape.hidden_size).tanh()]
        d_output, d_h_n = torch.randn(shape.steps, shape.batch, shape.hidden_size), torch.randn_like(states[0])
        arriving = [d_output, d_h_n]
        if shape.cell == "lstm":
            states.append(torch.randn_like(states[0]))
            arriving.append(torch.randn_like(states[0]))
        found = []
        for candidate in candidates:
            candidate.load_state_dict(candidates[1].state_dict())
            dtype = next(candidate.parameters()).dtype
            found.append(
                results(candidate, input.to(dtype), [x.to(dtype) for x in states], [x.to(dtype) for x in arriving])
            )
        for name, right in found[0].items():
            errors = [(result[name].double() - right).square().mean().item() for result in found[1:]]
            squares.setdefault(name, []).append((right.square().mean().item(), errors[0], errors[1]))
    ratios = {}
    for name, seeds in squares.items():
        usual = statistics.median(size for size, _, _ in seeds)
        pooled = [sum(seed[k] / max(seed[0], usual) for seed in seeds) for k in (1, 2)]
        ratios[name] = math.sqrt(pooled[1] / pooled[0])
    return ratios


def geometric_mean(ratios: Iterable[float]) -> float:
    logarithms = [math.log(ratio) for ratio in ratios]
    return math.exp(sum(logarithms) / len(logarithms))


def table(grid: Iterable[Shape], say: Callable[[str], object] = print) -> dict[Shape, dict[str, float]]:
    """The ratios of every shape; each line is said when it is known."""
    rows: dict[Shape, dict[str, float]] = {}
    for shape in grid:
        start = time.perf_counter()
        rows[shape] = error_ratios(shape)
        if len(rows) == 1:
            say(
                " ".join(
                    [f"{'steps,batch,input,hidden':23}", *(f"{name:>11}" for name in rows[shape]), "  seeds  time"]
                )
            )
        ratios = " ".join(f"{ratio:11.3f}" for ratio in rows[shape].values())
        name = ",".join(map(str, shape)).removesuffix(",tanh")
        say(f"{name:23} {ratios} {shape.seeds:7} {time.perf_counter() - start:4.1f}s")
    every = [ratio for ratios in rows.values() for ratio in ratios.values()]
    say(f"geometric mean {geometric_mean(every):.3f} (at most {MEAN}), worst {max(every):.3f} (at most {WORST})")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the part of the grid that the normal tests run")
    quick = parser.parse_args().quick
    table(QUICK_GRID if quick else GRID)
    for cell in GATED:
        table(shape for shape in (QUICK_GATED_GRID if quick else GATED_GRID) if shape.cell == cell)


if __name__ == "__main__":
    main()
