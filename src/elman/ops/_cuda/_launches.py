"""What kernels are handed and launched by: the rows of a sequence, structs of arguments."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from contextlib import AbstractContextManager
from itertools import accumulate
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from elman.ops._cells import EngineCell
from elman.ops._cuda._plan import Limits, Plan, plan
from elman.ops._cuda._programs import KernelCell, cell_of

__all__ = [
    "Kernel",
    "Launcher",
    "Queue",
    "Rows",
    "address",
    "backward_plan",
    "forward_plan",
    "is_within",
    "packed",
]

_MOST_ROWS = (1 << 31) - 1  # whose places are 32-bit numbers


class Kernel(NamedTuple):
    """A function of ``engine/cuda``, the struct it takes and the most threads of its blocks.

    Args:
        text: C++ that it needs besides: the class of a cell that is a program.
    """

    function: str
    arguments: str
    threads: int
    text: str = ""


_VALUES = 248  # of a FillArguments; kernels take 4 KB of arguments
_FILL = Kernel("fill", "FillArguments", 256)


class Queue(Protocol):
    """What runs kernels one after another, for the time of a call."""

    def launch(
        self, kernel: Kernel, grid: tuple[int, int, int], threads: int, shared_bytes: int, arguments: bytes
    ) -> None: ...


class Launcher(Protocol):
    """A kind of device, or what stands in for one."""

    def limits(self, device: torch.device) -> Limits: ...

    def on(self, device: torch.device) -> AbstractContextManager[Queue]: ...


def is_within(launcher: Launcher, cell: EngineCell, device: torch.device, hidden_size: int, rows: int) -> bool:
    """Whether the device has room for a layer's steps, forward and back."""
    of_kernel, limits = cell_of(cell, hidden_size), launcher.limits(device)
    return (
        0 < rows <= _MOST_ROWS
        and forward_plan(of_kernel, hidden_size, 1, limits) is not None
        and backward_plan(of_kernel, hidden_size, 1, limits) is not None
    )


def forward_plan(cell: KernelCell, units: int, batch: int, limits: Limits) -> Plan | None:
    return plan(units, cell.gates * units, cell.carried[0] * units + cell.sums[0], batch, limits)


def backward_plan(cell: KernelCell, units: int, batch: int, limits: Limits) -> Plan | None:
    return plan(cell.gates * units, units, cell.carried[1] * units + cell.sums[1], batch, limits)


class Rows(NamedTuple):
    """Which rows take part in which step."""

    steps: int
    batch: int
    total: int
    offsets: Tensor | None  # (steps + 1) on the device, of packed input

    @staticmethod
    def of(input: Tensor, batch_sizes: Tensor | None, queue: Queue) -> Rows:
        if batch_sizes is None:
            steps, batch = (1, input.shape[0]) if input.dim() == 2 else input.shape[:2]
            return Rows(steps, batch, steps * batch, None)
        sizes = batch_sizes.tolist()
        return Rows(len(sizes), sizes[0], input.shape[0], _offsets(input, sizes, queue))

    def sequence(self, reverse: bool) -> tuple[int, ...]:
        return self.steps, self.batch, address(self.offsets), reverse


def _offsets(input: Tensor, sizes: list[int], queue: Queue) -> Tensor:
    """The rows before each step, and all: handed over among kernels' arguments, which waits for nothing."""
    values = [*accumulate(sizes, initial=0)]
    offsets = input.new_empty(len(values), dtype=torch.int64)
    for first in range(0, len(values), 2 * _VALUES):
        parts = values[first : first + _VALUES], values[first + _VALUES : first + 2 * _VALUES]
        fields = [
            (address(offsets, 2 * (first + i * _VALUES)), len(part), *part, *[0] * (_VALUES - len(part)))
            for i, part in enumerate(parts)
        ]
        queue.launch(_FILL, (1, 1, 2), _FILL.threads, 0, packed(*fields))
    return offsets


def address(tensor: Tensor | None, offset: int = 0) -> int:
    return 0 if tensor is None else tensor.data_ptr() + 4 * offset


def packed(*of_directions: Iterable[int]) -> bytes:
    """The structs of two directions, of which the second may be missing."""
    numbers = [*map(int, of_directions[0])]
    for direction in of_directions[1:]:
        numbers.extend(map(int, direction))
    return struct.pack(f"{len(numbers)}q", *numbers).ljust(16 * len(numbers) // len(of_directions), b"\0")
