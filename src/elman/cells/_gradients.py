"""Reverse differentiation of a program: the gradients of everything that a step is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from elman.cells._program import Node, Program
from elman.cells._values import Recording, Value, fma, sigma, sum_units, where

__all__ = ["Gradients", "differentiate"]

#: From the gradient of the result, the result and what it was computed of, to the gradients of the latter.
_RULES: dict[str, Callable[..., Sequence[Any]]] = {
    "add": lambda d, y, a, b: (d, d),
    "subtract": lambda d, y, a, b: (d, -d),
    "multiply": lambda d, y, a, b: (d * b, d * a),
    "divide": lambda d, y, a, b: (d / b, -(d * y) / b),
    "fma": lambda d, y, a, b, c: (d * b, d * a, d),
    "negate": lambda d, y, x: (-d,),
    "abs": lambda d, y, x: (where(x < 0, -d, where(x == 0, 0.0, d)),),
    # shared by equal ones, as PyTorch does
    "minimum": lambda d, y, a, b: (_of_chosen(d, b < a, a == b), _of_chosen(d, a < b, a == b)),
    "maximum": lambda d, y, a, b: (_of_chosen(d, a < b, a == b), _of_chosen(d, b < a, a == b)),
    "select": lambda d, y, condition, a, b: (None, where(condition, d, 0.0), where(condition, 0.0, d)),
    "exp": lambda d, y, x: (d * y,),
    "log": lambda d, y, x: (d / x,),
    "sqrt": lambda d, y, x: (d / (2.0 * y),),
    "tanh": lambda d, y, x: (d * fma(-y, y, 1.0),),
    "sigma": lambda d, y, x: (d * (y * (1.0 - y)),),
    "softplus": lambda d, y, x: (d * sigma(x),),
    "relu": lambda d, y, x: (where(y <= 0, 0.0, d),),
    "sum_units": lambda d, y, x: (sum_units(d),),
}


def _of_chosen(d: Value, other_is: Value, equal: Value) -> Any:
    return where(other_is, 0.0, where(equal, 0.5 * d, d))


@dataclass(frozen=True)
class Gradients:
    """A program's nodes and behind them those of its gradients.

    Args:
        nodes: the program's in their places; then also leaves ``"d_after"`` by name, what comes from the step after.
        of_leaves: the places of the gradients of the program's leaves, by the places of these; those without are zero.
    """

    nodes: tuple[Node, ...]
    of_leaves: dict[int, int]


def differentiate(program: Program) -> Gradients:
    """Differentiate the states after a step by all that it is made of."""
    recording = Recording(program.nodes)
    values = recording.values()
    gradients: dict[int, Value] = {}

    def add(place: int, gradient: Value | None) -> None:
        if gradient is not None:
            gradients[place] = gradients[place] + gradient if place in gradients else gradient

    for name, result in zip(program.carried, program.results, strict=True):
        add(result, recording.add("d_after", name=name))
    of_leaves = {}
    for place in reversed(range(len(program.nodes))):
        node = program.nodes[place]
        if place not in gradients or node.operation in ("number", "units"):
            continue
        gradient = gradients[place]
        if not node.values:
            of_leaves[place] = gradient._place
        elif rule := _RULES.get(node.operation):  # a comparison has none
            for value, of_value in zip(
                node.values, rule(gradient, values[place], *(values[v] for v in node.values)), strict=True
            ):
                add(value, of_value)
    return Gradients(tuple(recording.nodes), of_leaves)
