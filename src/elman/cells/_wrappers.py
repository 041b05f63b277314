"""Cells around any other: what is drawn while a network is trained, and stands for its expected value after."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from elman._checks import is_number
from elman._errors import InputError, shown
from elman.cells._cell import Cell
from elman.cells._values import Recording, Value, fma

__all__ = ["RecurrentDropout", "Zoneout"]


class _Wrapper(Cell):
    """A cell as the one inside it, which is given something more by step or by sequence."""

    def __init__(self, cell: Cell, *, step_inputs: tuple[str, ...] = (), sequence_inputs: tuple[str, ...] = ()) -> None:
        if not isinstance(cell, Cell):
            raise InputError(f"cell: expected a Cell, as in {type(self).__name__}(GRU(), 0.1), got {shown(cell)}")
        for name in (*step_inputs, *sequence_inputs):
            if name in cell.program.inputs:
                raise InputError(f"cell: expected one that is given no {name} yet, got {cell!r}")
        self.cell = cell
        self.gates, self.states, self.fed_back = cell.gates, cell.states, cell.fed_back
        self.step_inputs = (*cell.step_inputs, *step_inputs)
        self.sequence_inputs = (*cell.sequence_inputs, *sequence_inputs)
        super().__init__(**cell.parameters)

    def draw(self, name: str, empty: Any, training: bool) -> Any:
        return self.cell.draw(name, empty, training)

    def _after(self, recording: Recording) -> tuple[Value, ...]:
        return self.cell._after(recording)

    def _feed(self, state: Any, argument: Callable[[str], Any]) -> Any:
        return self.cell._feed(state, argument)


class Zoneout(_Wrapper):
    r"""Each unit of each state keeps its former value with a probability, at every step anew:
    :math:`s_t = d_t \odot s_{t-1} + (1 - d_t) \odot s^*_t`.

    With :math:`s^*_t` the states that the cell inside gives, of an LSTM each of h and c by itself, and
    :math:`d_t` ones with probability p and else zeros while training, by PyTorch's generator; otherwise p itself, the
    expected value. A layer may be given them: ``layer(x, zoneout_h=mask)``, as noise is.

    Args:
        cell: any, a wrapper too.
        p: the probability, for all states or by the name of each that is zoned out: ``{"h": 0.05, "c": 0.5}``.

    Raises:
        InputError: a ValueError: no cell, no probability, no such state.

    Source: D. Krueger et al., "Zoneout: regularizing RNNs by randomly preserving hidden activations" (2017).

    Example:
        >>> from elman.cells import LSTM, Zoneout
        >>> Zoneout(LSTM(), {"h": 0.05, "c": 0.5}).program.inputs
        {'zoneout_c': 'step', 'zoneout_h': 'step'}
    """

    def __init__(self, cell: Cell, p: float | Mapping[str, float]) -> None:
        states = cell.states if isinstance(cell, Cell) else ()
        self.p = {**p} if isinstance(p, Mapping) else p
        self._zoned = {**p} if isinstance(p, Mapping) else dict.fromkeys(states, p)
        for name, probability in self._zoned.items():
            if name not in states:
                raise InputError(
                    f"p: expected probabilities of the states {', '.join(states)}, got one of {shown(name)}"
                )
            _check(probability)
        super().__init__(cell, step_inputs=tuple(f"zoneout_{name}" for name in self._zoned))

    def draw(self, name: str, empty: Any, training: bool) -> Any:
        probability = self._zoned.get(name.removeprefix("zoneout_")) if name.startswith("zoneout_") else None
        if probability is None:
            return super().draw(name, empty, training)
        return empty.bernoulli_(probability) if training else empty.fill_(probability)

    def _after(self, recording: Recording) -> tuple[Value, ...]:
        def zoned(name: str, after: Value) -> Value:
            if name not in self._zoned:
                return after
            keeps = recording.add("step", name=f"zoneout_{name}")
            kept: Value = fma(keeps, recording.add("state", name=name), (1.0 - keeps) * after)
            return kept

        return tuple(map(zoned, self.states, super()._after(recording)))


class RecurrentDropout(_Wrapper):
    r"""Dropout of what is fed back, one mask for all steps of a sequence: :math:`W_{hh} (m \odot h_{t-1})`.

    The mask is the same for all gates (the paper's tied weights), and stands before :math:`W_{hh}` alone: a GRU's
    :math:`h_{t-1}` on its own way, an LSTM's c and the output are whole. While training m is 1 / (1 - p) with
    probability 1 - p and else zero, by PyTorch's generator, for each sequence, layer and direction; otherwise 1. A
    layer may be given it: ``layer(x, recurrent_mask=mask)``.

    Args:
        cell: any that feeds something back, a wrapper too.
        p: the probability that a unit is dropped.

    Raises:
        InputError: a ValueError: no such cell, no such probability.

    Source: Y. Gal and Z. Ghahramani, "A theoretically grounded application of dropout in recurrent neural networks"
    (2016).

    Example:
        >>> from elman.cells import GRU, RecurrentDropout
        >>> RecurrentDropout(GRU(), 0.25).program.inputs
        {'recurrent_mask': 'sequence'}
    """

    def __init__(self, cell: Cell, p: float) -> None:
        _check(p)
        self.p = p
        if isinstance(cell, Cell) and not cell.program.is_recurrent:
            raise InputError(f"cell: expected one that feeds its output back through W_hh, got {cell!r}")
        super().__init__(cell, sequence_inputs=(_MASK,))

    def draw(self, name: str, empty: Any, training: bool) -> Any:
        if name != _MASK:
            return super().draw(name, empty, training)
        return empty.bernoulli_(1.0 - self.p).div_(1.0 - self.p or 1.0) if training else empty.fill_(1.0)

    def _feed(self, state: Any, argument: Callable[[str], Any]) -> Any:
        return argument(_MASK) * super()._feed(state, argument)


_MASK = "recurrent_mask"


def _check(probability: Any) -> None:
    if not is_number(probability) or not 0 <= float(probability) <= 1:
        raise InputError(f"p: expected a probability from 0 to 1, got {shown(probability)}")
