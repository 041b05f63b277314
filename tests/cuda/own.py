"""Layers whose cells are programs, by the kernels for GPUs and by the engine."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor

from elman import cells
from elman.cells import Program
from elman.ops import _calls as engine
from elman.ops._cells import of_program
from elman.ops._cuda import _calls as kernels
from elman.ops._cuda._launches import Kernel, Launcher
from elman.ops._cuda._plan import Limits
from tests.cells.programs import chosen_program
from tests.cuda.cases import Case, assert_same_bits, chosen_case, guarded, watched_memory

CELLS = {
    "Elman": cells.Elman(),
    "Softsign": cells.Elman("softsign"),
    "GRU": cells.GRU(),
    "LSTM": cells.LSTM(),
    "RateLeaky": cells.RateLeaky(cells.learned(0.3), noise=0.1),
    "VoltageLeaky": cells.VoltageLeaky(0.3, noise=0.1),
    "IndRNN": cells.IndRNN(),
    "LayerNormRNN": cells.LayerNormRNN(),
    "LayerNormGRU": cells.LayerNormGRU(),
    "LayerNormLSTM": cells.LayerNormLSTM(),
    "MinimalGatedUnit": cells.MinimalGatedUnit(),
    "PeepholeLSTM": cells.PeepholeLSTM(),
    "CoupledLSTM": cells.CoupledLSTM(),
    "Zoneout": cells.Zoneout(cells.LSTM(), 0.2),
    "RecurrentDropout": cells.RecurrentDropout(cells.LSTM(), 0.3),
}


def case_of(program: Program, seed: int, hidden_sizes: Sequence[int]) -> Case:
    few, input_sizes = [1, 2, 3, 5], [0, 1, 5, 17]
    choose = random.Random(seed)
    return chosen_case(choose, seed, program, hidden_sizes, steps=few, batches=few, input_sizes=input_sizes)


def random_case(seed: int, hidden_sizes: Sequence[int]) -> Case:
    choose = random.Random(seed)
    program = replace(chosen_program(choose.choice), fed_back=choose.choice([0, 0, 1]))
    return case_of(program, seed, hidden_sizes)


SIZES = [1, 3, 15, 16, 17, 33]
CASES = {name: case_of(cell.program, place, SIZES) for place, (name, cell) in enumerate(CELLS.items())}
CASES |= {f"random {seed}": random_case(seed, SIZES) for seed in range(25)}


@dataclass
class Arguments:
    call: engine.Call
    tensors: list[Tensor | None]  # input, h_0, c_0 and what is given
    d_results: list[Tensor | None]

    def needed(self) -> list[tuple[bool, ...]]:
        """Every gradient that there is, and either half of them."""
        there = [x is not None for x in self.tensors]
        halves = ([need and place % 2 == part for place, need in enumerate(there)] for part in (0, 1))
        return [tuple(there), *map(tuple, halves)]


@cache
def arguments(case: Case) -> Arguments:
    generator = torch.Generator().manual_seed(case.seed)
    program, units, directions = case.cell, case.hidden_size, case.directions
    rows, further = len(program.gates) * units, len(program.results) - 1

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    batch_sizes, leading = case.rows(generator)

    def state(count: int = 1) -> Tensor | None:
        shape = *[count] * (count > 1), directions, case.batch, units
        return normal(*shape) if case.states and count else None

    weights: list[Tensor | None] = []
    for _ in range(directions):
        w_hh = normal(rows, units) / units**0.5 if program.is_recurrent else None
        biases = [normal(rows) if case.bias else None for _ in range(2)]
        if not program.is_recurrent:
            biases[1] = None
        weights += [normal(rows, case.input_size) / 2, w_hh, *biases]
    kinds = (("unit", (units,)), ("step", (*leading, units)), ("sequence", (case.batch, units)))
    inputs = [normal(*shape) for kind, shape in kinds for _ in range(directions * len(program.inputs_by(kind)))]
    call = engine.Call(of_program(program, units), directions, units, batch_sizes)
    d_results = [normal(*leading, directions * units), state(), state(further)]
    return Arguments(call, [normal(*leading, case.input_size), state(), state(further), *weights, *inputs], d_results)


def run(launcher: Launcher, case: Case, device: str = "cpu") -> tuple[list[Tensor | None], list[Tensor | None]]:
    """What the kernels give: output, final states and what is kept; the gradients of each :meth:`Arguments.needed`."""
    given = arguments(case)
    tensors, d_results = (
        [None if x is None else guarded(x.to(device)) for x in part] for part in (given.tensors, given.d_results)
    )
    weights, inputs = engine.split(given.call, tensors[3:])
    matrices = [x for first in range(0, len(weights), 4) for x in weights[first : first + 2]]
    gradients: list[Tensor | None] = []
    with watched_memory():
        results, kept = kernels.forward(launcher, given.call, *tensors[:3], weights, True, *inputs)
        unkept, _ = kernels.forward(launcher, given.call, *tensors[:3], weights, False, *inputs)
        for needed in given.needed():
            of = given.call, *tensors[:3], matrices, results[0], kept, d_results, needed
            gradients += kernels.backward(launcher, *of, *inputs)
    return [*results, kept, *unkept], gradients


def assert_engine_agrees(launcher: Launcher, case: Case, device: str = "cpu") -> None:
    """Outputs, final states, what is kept and every gradient."""
    given = arguments(case)
    weights, inputs = engine.split(given.call, given.tensors[3:])
    expected, kept = engine.forward(given.call, *given.tensors[:3], weights, True, *inputs)
    matrices = [x for first in range(0, len(weights), 4) for x in weights[first : first + 2]]
    gradients: list[Tensor | None] = []
    for needed in given.needed():
        of = given.call, *given.tensors[:3], matrices, expected[0], kept, given.d_results, needed
        gradients += engine.backward(*of, *inputs)
    results, found = run(launcher, case, device)
    for place, (one, other) in enumerate(zip(results, [*expected, kept, *expected], strict=True)):
        assert_same_bits(one, other, (f"result {place}", case))
    for place, (one, other) in enumerate(zip(found, gradients, strict=True)):
        assert_same_bits(one, other, (f"gradient {place}", case))


class Recorder:
    """A launcher that runs nothing and says what it was to run."""

    def __init__(self, limits: Limits) -> None:
        self.of_device = limits
        self.kernels: dict[Kernel, None] = {}

    def limits(self, device: torch.device) -> Limits:
        return self.of_device

    @contextmanager
    def on(self, device: torch.device) -> Iterator["Recorder"]:
        yield self

    def launch(self, kernel: Kernel, *rest: object) -> None:
        if kernel.text:
            self.kernels[kernel] = None


def kernels_of(cases: Sequence[tuple[Case, Limits]]) -> list[Kernel]:
    """Those of the programs' own."""
    found: dict[Kernel, None] = {}
    for case, limits in cases:
        recorder = Recorder(limits)
        run(recorder, case)
        found |= recorder.kernels
    return [*found]
