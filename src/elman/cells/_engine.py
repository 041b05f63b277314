"""A program as the engine has it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from elman import _engine
from elman.cells._lowering import Ways, lower
from elman.cells._program import Program

__all__ = ["compiled"]

_OPERATIONS = _engine.operations()
_VALUES = _engine.values()


@lru_cache(maxsize=256)
def compiled(program: Program, units: int, every: bool = False, kept: Sequence[int] = ()) -> Any:
    """``_engine.Program``, differentiated and checked, for so many hidden units: see :func:`lower`."""
    lowered = lower(program, units, every, kept)
    return _engine.Program(
        gates=len(program.gates),
        apart=len(program.apart),
        states=len(program.results),
        fed_back=program.fed_back,
        kept=lowered.kept,
        unit_inputs=len(program.inputs_by("unit")),
        step_inputs=len(program.inputs_by("step")) + (len(program.carried) - 1 if every else 0),
        row_inputs=len(program.inputs_by("sequence")),
        constants=lowered.constants,
        forward=_numbered(lowered.forward),
        backward=_numbered(lowered.backward),
    )


def _numbered(ways: Ways) -> tuple[list[tuple[int, ...]], list[tuple[int, int]]]:
    instructions, outputs = ways
    return (
        [(_OPERATIONS[name][0], *(_VALUES[kind] + which for kind, which in taken)) for name, taken in instructions],
        [(_VALUES[to] + of_to, _VALUES[kind] + which) for (to, of_to), (kind, which) in outputs],
    )
