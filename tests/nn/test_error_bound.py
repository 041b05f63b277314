"""Guarantee 2: closer to the equations in float64 than torch is. ``benchmarks/accuracy.py`` prints the table."""

from collections.abc import Iterable

import pytest
import torch
from torch import Tensor

from benchmarks.accuracy import (
    GATED,
    GATED_GRID,
    GRID,
    MEAN,
    QUICK_GATED_GRID,
    QUICK_GRID,
    WORST,
    Shape,
    error_ratios,
    geometric_mean,
    table,
)

# PyTorch's product adds 16 terms in an order that errs less than a chain does, and relu does not even it out. The
# order of our sums is a promise of its own.
PAST_WORST = {(Shape(50, 4, 16, 8, "relu"), name): 1.12 for name in ("output", "h_n")}
# The gradient of a GRU's few inputs is a sum over thrice the units, which PyTorch's product takes in several parts.
PAST_WORST |= {(shape, "d_input"): 1.25 for shape in GATED_GRID + QUICK_GATED_GRID if shape.cell == "gru"}


def assert_the_promise_holds(grid: Iterable[Shape]) -> None:
    torch.set_num_threads(1)
    lines: list[str] = []
    rows = table(grid, lines.append)
    ratios = {(shape, name): ratio for shape, row in rows.items() for name, ratio in row.items()}
    assert geometric_mean(ratios.values()) <= MEAN, "\n".join(lines)
    assert {k: r for k, r in ratios.items() if not r <= PAST_WORST.get(k, WORST)} == {}, "\n".join(lines)


def of(cell: str, gated: tuple[Shape, ...], elmans: tuple[Shape, ...]) -> list[Shape]:
    return [shape for shape in gated if shape.cell == cell] if cell in GATED else [*elmans]


@pytest.mark.parametrize("cell", ["elman", *GATED])
def test_the_error_is_at_most_torchs_over_a_few_shapes(cell: str) -> None:
    assert_the_promise_holds(of(cell, QUICK_GATED_GRID, QUICK_GRID))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("cell", ["elman", *GATED])
def test_the_error_is_at_most_torchs_over_the_whole_grid(cell: str) -> None:
    assert_the_promise_holds(of(cell, GATED_GRID, GRID))


class OneChain(torch.nn.RNN):
    """Adds each product of a step to one running sum."""

    def forward(self, input: Tensor, hx: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        h, outputs = hx[0], []
        for x in input:
            a = self.bias_ih_l0 + self.bias_hh_l0
            for value, weight in ((x, self.weight_ih_l0), (h, self.weight_hh_l0)):
                for k in range(weight.shape[1]):
                    a = a + value[:, k, None] * weight[:, k]
            h = a.tanh()
            outputs.append(h)
        return torch.stack(outputs), h[None]


def test_a_layer_that_adds_in_one_chain_breaks_the_promise() -> None:
    torch.set_num_threads(1)
    assert error_ratios(Shape(4, 1, 1, 100), OneChain)["output"] > WORST


def test_torch_is_no_closer_than_itself() -> None:
    assert set(error_ratios(Shape(3, 1, 2, 64), torch.nn.RNN).values()) == {1.0}
