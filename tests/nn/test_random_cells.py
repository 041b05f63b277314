"""Cells drawn at random, bare and wrapped, on the engine, beside loops that PyTorch's autograd differentiates."""

import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import softplus

import elman.nn
from elman import cells
from elman.cells import Cell, RecurrentDropout, Zoneout, learned

UNITS = 3
STATES = ("h", "c")
#: Operations by name: how many values each takes, and what it is to a cell and to PyTorch.
OPERATIONS: dict[str, tuple[int, Callable[..., Any], Callable[..., Any]]] = {
    "add": (2, operator.add, operator.add),
    "subtract": (2, operator.sub, operator.sub),
    "multiply": (2, operator.mul, operator.mul),
    "divide": (2, lambda a, b: a / (1 + abs(b)), lambda a, b: a / (1 + b.abs())),
    "fma": (3, cells.fma, lambda a, b, c: a * b + c),
    "negate": (1, operator.neg, operator.neg),
    "abs": (1, abs, torch.abs),
    "minimum": (2, cells.minimum, torch.minimum),
    "maximum": (2, cells.maximum, torch.maximum),
    "where": (4, lambda a, b, x, y: cells.where(a < b, x, y), lambda a, b, x, y: torch.where(a < b, x, y)),
    "exp": (1, lambda a: cells.exp(cells.tanh(a)), lambda a: a.tanh().exp()),
    "log": (1, lambda a: cells.log(1 + a * a), lambda a: (1 + a * a).log()),
    "sqrt": (1, lambda a: cells.sqrt(1 + a * a), lambda a: (1 + a * a).sqrt()),
    "tanh": (1, cells.tanh, torch.tanh),
    "sigma": (1, cells.sigma, torch.sigmoid),
    "softplus": (1, cells.softplus, softplus),
    "relu": (1, cells.relu, torch.relu),
    "sum_units": (1, cells.sum_units, lambda a: a.sum(-1, keepdim=True).expand_as(a)),
    "mean_units": (1, cells.mean_units, lambda a: a.mean(-1, keepdim=True).expand_as(a)),
}
LEAVES = 8  # the gate a, both parts of n, h, c, leak, mask and noise
Recipe = tuple[list[tuple[str, tuple[int, ...]]], tuple[int, int]]


def carried_out(recipe: Recipe, leaves: Sequence[Any], which: int, tanh: Callable[..., Any]) -> list[Any]:
    """The states after a step: of symbols (1), or of tensors (2)."""
    values = [*leaves]
    for name, taken in recipe[0]:
        values.append(OPERATIONS[name][which](*(values[place] for place in taken)))
    return [tanh(values[place]) for place in recipe[1]]


class Drawn(Cell):
    gates, states = ("a", "n"), STATES
    step_inputs, sequence_inputs = ("noise",), ("mask",)

    def __init__(self, recipe: Recipe, fed_back: str) -> None:
        self.recipe, self.fed_back = recipe, fed_back
        super().__init__(leak=learned(0.3))

    def step(self, a: Any, n: Any, h: Any, c: Any, leak: Any, mask: Any, noise: Any) -> Any:
        # all gates are used, whatever is drawn
        leaves = [a, n.input, n.recurrent, h, c, leak, mask, noise]
        h, c = carried_out(self.recipe, leaves, 1, cells.tanh)
        return h, c + 0.1 * (a + n.recurrent)


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    steps: list[tuple[str, tuple[int, ...]]] = []
    for count in range(draw(st.integers(1, 12))):
        name = draw(st.sampled_from(sorted(OPERATIONS)))
        place = st.integers(0, LEAVES + count - 1)
        steps.append((name, tuple(draw(place) for _ in range(OPERATIONS[name][0]))))
    last = LEAVES + len(steps) - 1
    return steps, (last, draw(st.integers(0, last)))


WRAPPERS: dict[str, Callable[[Cell], Cell]] = {
    "bare": lambda cell: cell,
    "zoneout": lambda cell: Zoneout(cell, 0.3),
    "dropout": lambda cell: RecurrentDropout(cell, 0.4),
    "both": lambda cell: Zoneout(RecurrentDropout(cell, 0.4), {"c": 0.3}),
}


def loop(layer: Any, recipe: Recipe, x: Tensor, given: dict[str, Tensor], lengths: list[int]) -> list[Tensor]:
    """The output, the final states and all states of each sequence by itself."""
    fed_back, everything, finals = STATES.index(layer.cell.fed_back), [], []
    for b, length in enumerate(lengths):
        states, rows = [torch.zeros(UNITS).double()] * 2, []
        for t in range(length):
            entering = states[fed_back] * (given["recurrent_mask"][b] if "recurrent_mask" in given else 1.0)
            u = (layer.weight_ih_l0 @ x[t, b] + layer.bias_ih_l0).chunk(2)
            v = (layer.weight_hh_l0 @ entering + layer.bias_hh_l0).chunk(2)
            # the gate whose parts are taken comes last
            leaves = [u[0] + v[0], u[1], v[1], *states, layer.leak_l0, given["mask"][b], given["noise"][t, b]]
            after = carried_out(recipe, leaves, 2, torch.tanh)
            after[1] = after[1] + 0.1 * (u[0] + v[0] + v[1])
            for i, name in enumerate(STATES):
                if (keeps := given.get(f"zoneout_{name}")) is not None:
                    after[i] = keeps[t, b] * states[i] + (1 - keeps[t, b]) * after[i]
            states = after
            rows.append(torch.stack(states))
        everything.append(torch.stack(rows + [torch.zeros(2, UNITS).double()] * (len(x) - length)))
        finals.append(torch.stack(states))
    h, c = torch.stack(everything, 2).unbind(1)
    return [h, *torch.stack(finals, 1).unsqueeze(1), h, c]


@settings(max_examples=80)
@given(
    recipe=recipes(),
    fed_back=st.sampled_from(STATES),
    wrapper=st.sampled_from(sorted(WRAPPERS)),
    lengths=st.lists(st.integers(0, 3), min_size=1, max_size=3),
    seed=st.integers(0, 1000),
)
def test_any_cell_and_its_gradients_are_those_of_autograd(
    recipe: Recipe, fed_back: str, wrapper: str, lengths: list[int], seed: int
) -> None:
    torch.manual_seed(seed)
    cell = WRAPPERS[wrapper](Drawn(recipe, fed_back))
    layer = elman.nn.Recurrent(cell, 2, UNITS, dtype=torch.float64)
    steps, batch = max(1, *lengths), len(lengths)
    x = torch.randn(steps, batch, 2, dtype=torch.float64)
    inputs = {name: torch.rand(steps, batch, UNITS, dtype=torch.float64) for name in cell.step_inputs}
    inputs |= {name: torch.rand(batch, UNITS, dtype=torch.float64) for name in cell.sequence_inputs}
    wanted = [x, *inputs.values()]
    for tensor in wanted:
        tensor.requires_grad_()
    wanted += layer.parameters()

    output, final, (states,) = layer(x, lengths=lengths, return_states=True, **inputs)
    found = []
    for results in ([output, *final, *states], loop(layer, recipe, x, inputs, lengths)):
        total = sum((result.sin().sum() for result in results), start=torch.zeros(()).double())
        total = total + 0 * sum(tensor.sum() for tensor in wanted)
        found.append([*results, *torch.autograd.grad(total, wanted)])
    assume(all(tensor.abs().max() < 1e4 for tensor in found[1]))  # what grows that much has few digits left
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-8)
