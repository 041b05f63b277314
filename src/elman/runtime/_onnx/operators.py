"""ONNX's recurrent operators: what their attributes mean, and which of their nodes the engine has a cell for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from reprlib import repr as shortened
from typing import Any

import numpy as np

from elman._cells import FAMILIES, Family
from elman._errors import InputError
from elman.runtime._arrays import Array
from elman.runtime._linear import Linear
from elman.runtime._onnx.activations import choose_activations
from elman.runtime._states import States
from elman.runtime._steps import gru_step, lstm_step, rnn_step

__all__ = ["OPERATORS", "Attributes", "Operator"]

_DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}


@dataclass(frozen=True)
class Operator:
    """A recurrent operator.

    Args:
        family: its names, gates and states.
        step: on NumPy, of :mod:`elman.runtime._steps`.
        products: the gates whose products with the state that takes together.
        activations: the default of one direction.
        of_sums: how many of these clip is for; an LSTM's last, which is handed c, goes without, as in ONNX Runtime.
        engine: the engine's cell by the activations of one direction.
        switch: the attribute that no other operator has.
        of_engine: what that is in the engine's cell.
    """

    family: Family
    step: Callable[..., States]
    products: tuple[str, ...]
    activations: tuple[str, ...]
    of_sums: int
    engine: Mapping[tuple[str, ...], str]
    switch: str | None = None
    of_engine: bool = False

    @property
    def attributes(self) -> list[str]:
        """The names of its attributes."""
        common = ["activations", "activation_alpha", "activation_beta", "clip", "direction", "hidden_size", "layout"]
        return [*common, self.switch] if self.switch else common

    def attributes_of(self, cell: str, directions: int) -> dict[str, Any]:
        """Return the attributes with which the operator is a cell of the engine."""
        [activations] = [names for names, name in self.engine.items() if name == cell]
        switch = {self.switch: 1} if self.switch and self.of_engine else {}
        return {"activations": directions * activations, **switch}


OPERATORS = {
    operator.family.title: operator
    for operator in (
        Operator(FAMILIES["rnn"], rnn_step, ("h",), ("Tanh",), 1, {("Tanh",): "tanh", ("Relu",): "relu"}),
        Operator(
            FAMILIES["gru"],
            gru_step,
            ("rz", "n"),
            ("Sigmoid", "Tanh"),
            2,
            {("Sigmoid", "Tanh"): "gru"},
            switch="linear_before_reset",
            of_engine=True,
        ),
        Operator(
            FAMILIES["lstm"],
            lstm_step,
            ("ifgo",),
            ("Sigmoid", "Tanh", "Tanh"),
            2,
            {("Sigmoid", "Tanh", "Tanh"): "lstm"},
            switch="input_forget",
        ),
    )
}


class Attributes:
    """What the attributes of a node come to.

    Args:
        operator: of the node.
        values: by the names that they have in ONNX; None: the node does not say.

    Attributes:
        directions: 1 or 2.
        reverse: whether the only direction reads backwards.
        batch_first: of the input and the output.
        hidden_size: None: the weights alone say.

    Raises:
        InputError: the operator does not take a value.
    """

    def __init__(self, operator: Operator, values: Mapping[str, Any]) -> None:
        direction, layout, clip = values["direction"], values["layout"], values["clip"]
        if direction not in _DIRECTIONS:
            raise InputError(f"direction: expected {', '.join(_DIRECTIONS)}, got {shortened(direction)}")
        if layout not in (0, 1):
            raise InputError(f"layout: expected 0 or 1, got {layout}")
        if clip is not None and not clip >= 0:
            raise InputError(f"clip: expected a threshold of at least 0, got {clip}")
        self.directions, self.reverse = _DIRECTIONS[direction], direction == "reverse"
        self.hidden_size, self.batch_first = values["hidden_size"], layout == 1
        self._operator, self._clips = operator, clip is not None
        self._switch = bool(values[operator.switch]) if operator.switch else False
        each, names = len(operator.activations), values["activations"] or 2 * operator.activations
        if len(names) not in (self.directions * each, 2 * each):  # a second direction's are nothing to a single one
            raise InputError(f"activations: expected {self.directions * each}, {each} a direction, got {len(names)}")
        chosen = choose_activations(
            names[: self.directions * each],
            values["activation_alpha"] or [],
            values["activation_beta"] or [],
        )
        if clip is not None:
            chosen = [
                replace(activation, clip=float(clip)) if place % each < operator.of_sums else activation
                for place, activation in enumerate(chosen)
            ]
        self._activations = [chosen[first : first + each] for first in range(0, len(chosen), each)]

    def engine_cell(self, direction: int, peepholes: Array | None) -> str | None:
        """Return the engine's cell that computes a direction; None: it has none for it."""
        if self._clips or peepholes is not None or self._switch != self._operator.of_engine:
            return None
        return self._operator.engine.get(tuple(activation.name for activation in self._activations[direction]))

    def step(self, direction: int, weight_hh: Array, bias_hh: Array, peepholes: Array | None) -> Callable[..., States]:
        """Return what computes a step of a direction on NumPy, from what the input comes to and the states."""
        operator, hidden_size = self._operator, weight_hh.shape[1]
        ends = hidden_size * np.cumsum([len(gates) for gates in operator.products])[:-1]
        parts = zip(np.split(weight_hh, ends), np.split(bias_hh, ends), strict=True)
        options: dict[str, Any] = {operator.switch: self._switch} if operator.switch else {}
        if len(operator.family.states) > 1:
            options["peepholes"] = peepholes
        return partial(
            operator.step,
            products=[Linear(weight, bias) for weight, bias in parts],
            activations=self._activations[direction],
            **options,
        )
