"""The numbers of a case, and whether what a contender finds is right."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from elman.bench._cases import Case
from elman.bench._own import Own

__all__ = ["Array", "Problem", "Results", "difference", "draw", "in_order"]

Array = NDArray[Any]
Results = dict[str, Array]
TOLERANCE, OF_LARGEST = 1e-4, "the largest number"  # float32 errs by 1e-6, bfloat16 by 1e-2
OF_ALL = 1e-2  # the root of the sum of squares


class Problem(NamedTuple):
    """A case with its numbers, all float32, laid out and ordered as PyTorch has them.

    Attributes:
        case: its kind, shape and cell.
        x: (steps, batch, input_size).
        states: h_0, and c_0 of an LSTM, (batch, hidden_size): zeros but for a single step.
        weight_ih, weight_hh: (gates * hidden_size, input_size), (gates * hidden_size, hidden_size).
        bias_ih, bias_hh: (gates * hidden_size,).
        d_output: (steps, batch, hidden_size), what comes back in training.
        inputs: what else a cell of the user's own is given, by name: (hidden_size,) for each unit, (batch, hidden_size)
            for each sequence, (steps, batch, hidden_size) for each step.
    """

    case: Case
    x: Array
    states: tuple[Array, ...]
    weight_ih: Array
    weight_hh: Array
    bias_ih: Array
    bias_hh: Array
    d_output: Array
    inputs: Results

    @property
    def own(self) -> Own:
        """The user's own cell, where it is one."""
        assert self.case.own
        return self.case.own

    @property
    def carried(self) -> tuple[Array, ...]:
        """The states, and behind them what is fed back where it is none of them, which a cell is handed beside them."""
        return (*self.states, *[self.states[0]] * (len(self.own.program.results) - len(self.states)))

    @property
    def bias(self) -> Array:
        """Both biases in one: their sum; of gates that keep them apart ``bias_ih``, and after all ``bias_hh``."""
        family = self.case.family
        own = np.isin(list(family.gates), list(family.apart)).repeat(self.case.shape.hidden_size)
        return np.concatenate([np.where(own, self.bias_ih, self.bias_ih + self.bias_hh), self.bias_hh[own]])

    @property
    def bias_gates(self) -> str:
        """The gates of ``bias``, a letter each; capitals are recurrent biases that stay apart."""
        return self.case.family.gates + self.case.family.apart.upper()

    def d_biases(self, d_bias: Array, gates: str | None = None) -> Results:
        """Return the gradients of the two biases.

        Args:
            d_bias: the gradient of ``bias``.
            gates: the order of its gates, if it is another than that of ``bias_gates``.
        """
        family, given = self.case.family, gates or self.bias_gates
        recurrent = "".join(gate.upper() if gate in family.apart else gate for gate in family.gates)
        return {
            "d_bias_ih": in_order(d_bias, given, family.gates),
            "d_bias_hh": in_order(d_bias, given, recurrent),
        }

    @property
    def parameters(self) -> Results:
        """The parameters by PyTorch's names in a layer, with what a cell is given for each unit."""
        family = self.case.family
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh") if family.is_recurrent else ("weight_ih", "bias_ih")
        arrays = {name: getattr(self, name) for name in names}
        arrays |= {name: self.inputs[name] for name in family.unit_inputs}
        return {f"{name}_l0": array for name, array in arrays.items()}

    @property
    def learnable(self) -> Results:
        """The input and the parameters that are learned, by name."""
        fixed = self.fixed
        named = {name.removesuffix("_l0"): array for name, array in self.parameters.items()}
        return {"input": self.x} | {name: array for name, array in named.items() if name not in fixed}

    @property
    def fixed(self) -> Results:
        """What else a cell of the user's own is given."""
        learned = self.case.own.learned if self.case.own else ()
        return {name: array for name, array in self.inputs.items() if name not in learned}

    def state(self, convert: Callable[[Array], Any]) -> Any:
        """Return the state as PyTorch passes it: one array, or a pair, each converted."""
        states = tuple(map(convert, self.states))
        return states if len(states) > 1 else states[0]


def in_order(array: Array, given: str, wanted: str) -> Array:
    """Return an array whose blocks of rows are given in one order of gates in another; a letter is a gate."""
    blocks = dict(zip(given, np.split(array, len(given)), strict=True))
    return np.concatenate([blocks[gate] for gate in wanted])


def draw(case: Case) -> Problem:
    """Draw normal inputs, and weights as PyTorch draws them; always the same ones for a case."""
    random = np.random.default_rng(0)
    steps, batch, input_size, hidden_size = case.shape
    rows, bound = len(case.family.gates) * hidden_size, hidden_size**-0.5

    def normal(*shape: int) -> Array:
        return random.standard_normal(shape, np.float32)

    def uniform(*shape: int) -> Array:
        return random.uniform(-bound, bound, shape).astype(np.float32)

    def given(own: Own, name: str, kind: str) -> Array:
        if kind == "unit":
            return np.ones(hidden_size, np.float32) * np.array(own.units[name], np.float32)
        return normal(*((steps,) if kind == "step" else ()), batch, hidden_size)

    scale = np.float32(case.kind == "step")
    return Problem(
        case,
        normal(steps, batch, input_size),
        tuple(np.tanh(scale * normal(batch, hidden_size)) for _ in case.family.states),
        uniform(rows, input_size),
        uniform(rows, hidden_size),
        uniform(rows),
        uniform(rows),
        normal(steps, batch, hidden_size),
        {name: given(case.own, name, kind) for name, kind in case.own.program.inputs.items()} if case.own else {},
    )


def difference(found: Results, right: Results, has_kinks: bool = False) -> str | None:
    """Say in what results differ from the right ones; None if they don't.

    Args:
        found: results by name.
        right: those that have to be found.
        has_kinks: of a formula where rounding may lead to another slope: a few numbers may be off then, and what counts
            is how far all of them are together.
    """
    for name, expected in right.items():
        if name not in found:
            return f"{name}: expected, got none"
        values = np.asarray(found[name], np.float64)
        if values.shape != expected.shape:
            return f"{name}: expected the shape {expected.shape}, got {values.shape}"
        size, most, of = (np.linalg.norm, OF_ALL, "all numbers") if has_kinks else (_largest, TOLERANCE, OF_LARGEST)
        error = size(values - expected) / (size(expected) or 1.0)
        if not error <= most:
            return f"{name}: expected an error of at most {most:.0e} of {of}, got {error:.0e}"
    return None


def _largest(values: Array) -> float:
    return float(np.abs(values).max())
