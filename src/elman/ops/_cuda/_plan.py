"""How a layer's steps are laid out on a GPU: what decides how long a call takes, never what it gives.

A block of threads takes a few rows through the whole sequence (``engine/cuda/step_product.h``). Its weights stay in
registers as far as these go, then in shared memory, and the rest is read at every step.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

__all__ = ["Limits", "Plan", "plan", "thread_limit"]

_BLOCK = 16  # of a sum: kSumBlock
_HELD = (2, 4, 8)  # blocks that a thread may hold in registers
_REGISTERS = 65536  # of a multiprocessor


class Limits(NamedTuple):
    """What a device has."""

    shared_bytes: int  # that a block may ask for
    multiprocessors: int


class Plan(NamedTuple):
    """How a step is shared out among the threads of a block."""

    rows: int
    held: int  # blocks of weights in registers, and
    shared_blocks: int  # in shared memory, of each thread
    parts: int  # threads that share a column's sum
    blocks: int  # of a part
    threads: int
    shared_bytes: int
    reads_memory: bool  # weights, at every step


def thread_limit(held: int) -> int:
    """The most threads a block may have, of which each holds so many blocks of weights."""
    return 2048 // held


@lru_cache(maxsize=256)
def plan(depth: int, columns: int, carried: int, batch: int, limits: Limits) -> Plan | None:
    """Lay out the product of rows of ``depth`` with so many columns; None where the device lacks the memory.

    Args:
        carried: numbers that a row carries from step to step besides.
    """
    all_blocks = -(-depth // _BLOCK)
    parts, held = _held_whole(all_blocks, columns) or _held_in_part(all_blocks, columns)
    blocks = -(-all_blocks // parts)
    threads = min(-(-columns * parts // 32) * 32, thread_limit(held))
    # a multiprocessor has room for so many blocks of one row
    one = _filled(1, held, parts, blocks, threads, columns, carried, limits)
    if one is None:
        return None
    registers = _REGISTERS // thread_limit(held)  # of a thread
    resident = max(1, min(_REGISTERS // (threads * registers), limits.shared_bytes // one.shared_bytes))
    if batch <= resident * limits.multiprocessors:
        return one
    return _filled(2, held, parts, blocks, threads, columns, carried, limits) or one


def _held_whole(all_blocks: int, columns: int) -> tuple[int, int] | None:
    """The fewest parts, and then blocks, with which registers hold all weights."""
    for parts in (1, 2, 4, 8, 16, 32):
        for held in _HELD:
            if -(-all_blocks // parts) <= held and columns * parts <= thread_limit(held):
                return parts, held
    return None


def _held_in_part(all_blocks: int, columns: int) -> tuple[int, int]:
    held = 4 if columns <= thread_limit(4) else 2
    return max(1, min(thread_limit(held) // columns, all_blocks)), held


def _filled(
    rows: int, held: int, parts: int, blocks: int, threads: int, columns: int, carried: int, limits: Limits
) -> Plan | None:
    """With as many weights in shared memory as find room beside what a step needs: StepMemory in step_product.h."""
    padded = parts * blocks * _BLOCK
    sums = 1 if parts == 1 else parts * blocks
    floats = 2 * rows * padded + held * _BLOCK + rows * sums * columns + rows * carried
    needed = -(-floats // 4) * 16
    of_block = _BLOCK * 4 * threads
    room = (limits.shared_bytes - needed) // of_block
    if room < 0:
        return None
    shared_blocks = max(0, min(blocks - held, room))
    reads_memory = blocks > held + shared_blocks or columns * parts > threads
    return Plan(rows, held, shared_blocks, parts, blocks, threads, needed + shared_blocks * of_block, reads_memory)
