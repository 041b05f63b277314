"""One recurrent layer by the kernels for GPUs and by the engine, whose bits they must have."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from elman._cells import FAMILIES
from elman.cells import Program
from elman.ops import _calls as engine
from elman.ops._cells import BUILT_IN
from elman.ops._cuda import _calls as kernels
from elman.ops._cuda._launches import Launcher

_GUARDS = 64  # numbers before and behind a tensor's
_GUARD = -12345
GATES = {cell: len(family.gates) for family in FAMILIES.values() for cell in family.modes.values()}


@dataclass(frozen=True)
class Case:
    """The sizes of a layer, and what of its arguments is there. The cell is one of the engine's own, or a program."""

    cell: str | Program
    steps: int  # of packed input at most
    batch: int
    input_size: int
    hidden_size: int
    directions: int = 1
    bias: bool = True
    states: bool = True
    packed: bool = False
    seed: int = 0

    def rows(self, generator: torch.Generator) -> tuple[Tensor | None, tuple[int, ...]]:
        """The batch sizes of packed input, and the shape of any input but for its features."""
        if not self.packed:
            return None, (self.steps, self.batch)
        lengths = torch.randint(1, self.steps + 1, (self.batch,), generator=generator)
        batch_sizes = torch.stack([(lengths > step).sum() for step in range(int(lengths.max()))])
        return batch_sizes, (int(batch_sizes.sum()),)


def chosen_case(
    choose: random.Random,
    seed: int,
    cell: str | Program,
    hidden_sizes: Sequence[int],
    *,
    steps: Sequence[int],
    batches: Sequence[int],
    input_sizes: Sequence[int],
) -> Case:
    return Case(
        cell,
        steps=choose.choice(steps),
        batch=choose.choice(batches),
        input_size=choose.choice(input_sizes),
        hidden_size=choose.choice(hidden_sizes),
        directions=choose.choice([1, 2]),
        bias=choose.random() < 0.7,
        states=choose.random() < 0.6,
        packed=choose.random() < 0.5,
        seed=seed,
    )


def random_case(seed: int, hidden_sizes: Sequence[int], steps: Sequence[int], batches: Sequence[int]) -> Case:
    choose, input_sizes = random.Random(seed), [0, 1, 2, 15, 16, 17, 40, 70]
    cell = choose.choice([*GATES])
    return chosen_case(choose, seed, cell, hidden_sizes, steps=steps, batches=batches, input_sizes=input_sizes)


@dataclass
class Arguments:
    """The tensors of a case; c and what belongs to it None where the cell has none."""

    input: Tensor
    h_0: Tensor | None
    c_0: Tensor | None
    batch_sizes: Tensor | None
    weights: list[Tensor]
    d_output: Tensor
    d_h_n: Tensor | None
    d_c_n: Tensor | None


def arguments(case: Case) -> Arguments:
    """PyTorch's initial weights over normal numbers."""
    generator = torch.Generator().manual_seed(case.seed)
    units, rows = case.hidden_size, GATES[case.cell] * case.hidden_size

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    def weights(*shape: int) -> Tensor:
        return (torch.rand(*shape, generator=generator) * 2 - 1) / units**0.5

    batch_sizes, leading = case.rows(generator)
    shapes = [(rows, case.input_size), (rows, units), *([(rows,)] * 2 if case.bias else [])] * case.directions
    of_states = case.directions, case.batch, units
    has_c = case.cell == "lstm"

    def state(wanted: bool = True) -> Tensor | None:
        return normal(*of_states) if case.states and wanted else None

    return Arguments(
        input=normal(*leading, case.input_size),
        h_0=state(),
        c_0=state(has_c),
        batch_sizes=batch_sizes,
        weights=[weights(*shape) for shape in shapes],
        d_output=normal(*leading, case.directions * units),
        d_h_n=state(),
        d_c_n=state(has_c),
    )


def call_of(case: Case, given: Arguments) -> engine.Call:
    return engine.Call(BUILT_IN[case.cell], case.directions, case.hidden_size, given.batch_sizes)


def assert_same_bits(result: Tensor | None, expected: Tensor | None, what: object) -> None:
    """But for a NaN's payload, which is the processor's."""
    assert (result is None) == (expected is None), what
    if result is None or expected is None:
        return
    assert result.shape == expected.shape, what
    result, expected = result.detach().cpu().contiguous(), expected.detach().contiguous()
    differing = (result.view(torch.int32) != expected.view(torch.int32)) & ~(result.isnan() & expected.isnan())
    assert not differing.any(), f"{int(differing.sum())} of {result.numel()} bits differ: {what}"


def guarded(x: Tensor) -> Tensor:
    """A copy among NaNs, which show in what is made of them."""
    whole = x.new_full((x.numel() + 2 * _GUARDS,), float("nan"))
    whole[_GUARDS:-_GUARDS] = x.flatten()
    return whole[_GUARDS:-_GUARDS].view(x.shape)


@contextmanager
def watched_memory() -> Iterator[None]:
    """What is new holds NaNs, and numbers around it that must stay."""
    made: list[Tensor] = []

    def new_empty(self: Tensor, *sizes: Any, dtype: torch.dtype | None = None) -> Tensor:
        shape = torch.Size(*sizes) if sizes and not isinstance(sizes[0], int) else torch.Size(sizes)
        whole = torch.full((shape.numel() + 2 * _GUARDS,), _GUARD, dtype=dtype or self.dtype, device=self.device)
        made.append(whole)
        inner = whole[_GUARDS : _GUARDS + shape.numel()]
        return inner.fill_(float("nan") if inner.is_floating_point() else _GUARD).view(shape)

    with patch.object(Tensor, "new_empty", new_empty):
        yield
    for whole in made:
        around = torch.cat([whole[:_GUARDS], whole[-_GUARDS:]])
        assert bool((around == _GUARD).all()), "a kernel writes before or behind a tensor"


def assert_engine_agrees(launcher: Launcher, case: Case, device: str = "cpu", given: Arguments | None = None) -> None:
    """Outputs, final states, what is kept and gradients: every one of all that come, and some of some."""
    given = given or arguments(case)

    def there(x: Tensor | None) -> Tensor | None:
        return None if x is None else guarded(x.to(device))

    start = given.input, given.h_0, given.c_0
    start_there, weights_there = [*map(there, start)], [guarded(x.to(device)) for x in given.weights]
    call = call_of(case, given)
    expected, kept = engine.forward(call, *start, given.weights, True)
    with watched_memory():
        results, kept_there = kernels.forward(launcher, call, *start_there, weights_there, True)
        unkept, _ = kernels.forward(launcher, call, *start_there, weights_there, False)
    names = ("output", "h_n", "c_n")
    for name, one, without, other in zip(names, results, unkept, expected, strict=False):
        assert_same_bits(one, other, (name, case))
        assert_same_bits(without, other, (name, "nothing kept", case))
    if kept is not None:
        assert kept_there is not None
        assert_same_bits(kept_there.flatten(), kept.flatten(), ("kept", case))

    matrices, matrices_there = ([x for x in xs if x.dim() == 2] for xs in (given.weights, weights_there))
    wanted = (True, given.h_0 is not None, given.c_0 is not None, *[True] * len(given.weights))
    arriving = [given.d_output, given.d_h_n, given.d_c_n]
    choose = random.Random(case.seed)
    for _ in range(2):
        gradients = engine.backward(call, *start, matrices, expected[0], kept, arriving, wanted)
        saved_there, arriving_there = (guarded(results[0]), there(kept_there)), [*map(there, arriving)]
        with watched_memory():
            found = kernels.backward(launcher, call, *start_there, matrices_there, *saved_there, arriving_there, wanted)
        for place, (one, other) in enumerate(zip(found, gradients, strict=True)):
            assert_same_bits(one, other, (f"gradient {place}", wanted, [x is not None for x in arriving], case))
        wanted = tuple(want and choose.random() < 0.5 for want in wanted)
        arriving = [x if choose.random() < 0.6 else None for x in arriving]
