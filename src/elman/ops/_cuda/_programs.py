"""What kernels know of a cell: the engine's own by their names, of a program the lines of CUDA C++ that it becomes.

Programs come from files of strangers. What reaches the compiler are operations of the table below, whole numbers, the
bits of constants and names made here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from elman.cells._lowering import Value, Ways, lower
from elman.ops._cells import EngineCell

__all__ = ["OPERATIONS", "KernelCell", "cell_of"]

#: Over lanes (``engine/cuda/cells.h``), as the engine's interpreter has them. Row sums are handed in.
OPERATIONS = {
    "copy": "{0}",
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "divide": "{0} / {1}",
    "multiply_add": "multiply_add({0}, {1}, {2})",
    "negated_multiply_add": "multiply_add(-{0}, {1}, {2})",
    "negate": "-{0}",
    "exp": "exponential<float>({0})",
    "log": "logarithm<float>({0})",
    "sqrt": "square_root({0})",
    "tanh": "tanh<float>({0})",
    "sigma": "sigma<float>({0})",
    "softplus": "softplus<float>({0})",
    **{name: f"on_each(Operations<float>::{name}, {{0}})" for name in ("absolute", "relu")},
    **{
        name: f"on_each(Operations<float>::{name}, {{0}}, {{1}})"
        for name in ("minimum", "maximum", "less", "less_equal", "equal")
    },
    "select": "on_each(Operations<float>::select, {0}, {1}, {2})",
}


class KernelCell(NamedTuple):
    """A cell as kernels have it.

    Args:
        name: of its class in C++.
        text: that class, of a program.
        gates, apart, states, kept, fed_back, inputs: as of :class:`~elman.ops._cells.EngineCell`.
        carried: arrays of hidden_size that a row of the forward loop needs in shared memory, and of the backward loop.
        sums: numbers that it needs besides.
    """

    name: str
    text: str
    gates: int
    apart: int
    states: int
    kept: int
    fed_back: int
    inputs: tuple[int, int, int]
    carried: tuple[int, int]
    sums: tuple[int, int]


@lru_cache(maxsize=256)
def cell_of(cell: EngineCell, units: int) -> KernelCell:
    """For so many hidden units."""
    sizes = cell.gates, cell.apart, cell.states, cell.kept, cell.fed_back, cell.inputs
    if cell.program is None:
        carries_hidden = cell.gates > 1 and cell.states == 1
        carried = cell.states - 1, cell.states - 1 + carries_hidden
        return KernelCell(f"{cell.text}_cell", "", *sizes, carried, (0, 0))
    lowered = lower(cell.program, units)
    ways = [
        _Way(way, name, cell, lowered.constants)
        for way, name in ((lowered.forward, "forward"), (lowered.backward, "backward"))
    ]
    carries_hidden = any(to == ("d_state", 0) for to, _ in lowered.backward[1])
    numbers = {
        **{"Gates": cell.gates, "Apart": cell.apart, "States": cell.states, "Kept": cell.kept},
        **{"OwnKept": lowered.kept, "Deltas": cell.gates + cell.apart, "FedBack": cell.fed_back},
        **dict(zip(("UnitInputs", "StepInputs", "RowInputs"), cell.inputs, strict=True)),
    }
    for way in ways:
        title = way.name.title()
        numbers |= {f"{title}Sums": way.firsts[-1], f"{title}Levels": len(way.levels), f"{title}Terms": way.most_terms}
    body = [f"static constexpr int k{name} = {number};" for name, number in numbers.items()]
    for name, holds in (("IsRecurrent", cell.program.is_recurrent), ("CarriesHidden", carries_hidden)):
        body.append(f"static constexpr bool k{name} = {str(holds).lower()};")
    for way in ways:
        body += way.text()
    lines = "\n".join(body)
    name = f"program_{hashlib.sha256(lines.encode()).hexdigest()[:16]}"
    text = f"namespace elman {{\nnamespace {{\nstruct {name} {{\n{lines}\n}};\n}}\n}}\n"
    arrays = cell.states - 1 + ways[0].most_terms, cell.states - 1 + carries_hidden + ways[1].most_terms
    return KernelCell(name, text, *sizes, arrays, (ways[0].firsts[-1], ways[1].firsts[-1]))


class _Way:
    """One list of instructions, and its row sums by levels, each of what those before gave."""

    def __init__(self, way: Ways, name: str, cell: EngineCell, constants: Sequence[float]) -> None:
        self.name, self.cell, self.constants = name, cell, constants
        self.instructions, self.outputs = way
        depths: list[int] = []
        of_level: dict[int, list[int]] = {}
        live = self._needed(value for _, value in self.outputs)
        for place, (operation, taken) in enumerate(self.instructions):
            depth = max((depths[which] for kind, which in taken if kind == "result"), default=0)
            if operation == "row_sum":
                if place in live:
                    of_level.setdefault(depth, []).append(place)
                depth += 1
            depths.append(depth)
        self.levels = [of_level[depth] for depth in sorted(of_level)]
        self.firsts = [sum(map(len, self.levels[:level])) for level in range(len(self.levels) + 1)]
        self.most_terms = max(map(len, self.levels), default=0)
        self.sums = [place for level in self.levels for place in level]

    def text(self) -> list[str]:
        """The functions of a cell's class."""
        firsts = ", ".join(map(str, self.firsts))
        begin, given = "static __device__ __forceinline__ void", "[[maybe_unused]] const From& from"
        lines = [
            f"static __device__ constexpr int {self.name}_level(int level) {{",
            f"constexpr int first[] = {{{firsts}}}; return first[level]; }}",
            f"template <class From, class To> {begin} {self.name}({given}, To& to) {{",
            *self._statements([value for _, value in self.outputs]),
            *(f"to.{self._result(*to)} = {self._value(*value)};" for to, value in self.outputs),
            "}",
        ]
        if self.levels:
            lines.append(f"template <int kLevel, class From> {begin} {self.name}_terms({given}, Lane* terms) {{")
            for number, level in enumerate(self.levels):
                terms = [self.instructions[place][1][0] for place in level]
                lines += [
                    f"if constexpr (kLevel == {number}) {{",
                    *self._statements(terms),
                    *(f"terms[{i}] = {self._value(*term)};" for i, term in enumerate(terms)),
                    "}",
                ]
            lines.append("}")
        return lines

    def _needed(self, values: Iterable[Value], known: Iterable[int] = ()) -> set[int]:
        """The instructions behind some values, but for what those do that are known."""
        needed: set[int] = set()
        open_ = [which for kind, which in values if kind == "result"]
        while open_:
            place = open_.pop()
            if place in needed:
                continue
            needed.add(place)
            if place not in known:
                open_ += [which for kind, which in self.instructions[place][1] if kind == "result"]
        return needed

    def _statements(self, values: Sequence[Value]) -> list[str]:
        lines = []
        for place in sorted(self._needed(values, self.sums)):
            operation, taken = self.instructions[place]
            if operation == "row_sum":
                expression = f"from.row_sum[{self.sums.index(place)}]"
            else:
                expression = OPERATIONS[operation].format(*(self._value(*value) for value in taken))
            lines.append(f"const Lane r{place} = {expression};")
        return lines

    def _value(self, kind: str, which: int) -> str:
        if kind == "result":
            return f"r{which:d}"
        if kind == "constant":
            with np.errstate(over="ignore"):
                bits = int(np.float32(self.constants[which]).view(np.uint32))
            return f"Lane{{{{__uint_as_float(0x{bits:08x}u)}}}}"
        if kind == "from_hidden":
            which -= self.cell.gates - self.cell.apart
        return f"from.{_FIELDS[kind]}[{which:d}]"

    def _result(self, kind: str, which: int) -> str:
        if kind in ("d_sum", "d_from_hidden"):
            return f"delta[{self.cell.apart + which:d}]"
        if kind == "d_from_input":
            return f"delta[{which - (self.cell.gates - self.cell.apart):d}]"
        return f"{_FIELDS[kind]}[{which:d}]"


_READ = ("sum", "from_hidden", "state", "unit_input", "step_input", "row_input", "new_state", "kept", "d_new_state")
_WRITTEN = ("d_state", "d_unit_input", "d_step_input", "d_row_input")
#: Of the structs in ``engine/cuda/cells.h``.
_FIELDS = {name: name for name in (*_READ, *_WRITTEN)} | {"from_input": "sum"}
