"""The symbols that a cell's ``step`` is called with, once, and the functions that it may use of them."""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from numbers import Real
from pathlib import PurePath
from typing import Any, Protocol, cast, overload

import numpy as np

from elman._errors import shown
from elman.cells._program import MASKS, Node

__all__ = [
    "CellError",
    "Gate",
    "Recording",
    "Value",
    "exp",
    "fma",
    "log",
    "maximum",
    "mean_units",
    "minimum",
    "relu",
    "sigma",
    "softplus",
    "sqrt",
    "sum_units",
    "tanh",
    "where",
]

_NOT_THE_USERS = ("elman", "functools", "jax", "numpy", "scipy", "torch")  # code that a step may have gone through
_ONLY_OURS = "a step takes arithmetic, comparisons and the functions of elman.cells, no other library's"


class CellError(TypeError):
    """A ``step`` that cannot become a program. The message begins with the line of code that it is about."""

    def __init__(self, message: str) -> None:
        frame = sys._getframe(1)
        while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] in _NOT_THE_USERS:
            frame = frame.f_back
        super().__init__(f"{PurePath(frame.f_code.co_filename).name}, line {frame.f_lineno}: {message}")


class Recording:
    """The nodes of a program, as its values are made: equal ones are one.

    Args:
        nodes: what it begins with, each in its place.
    """

    def __init__(self, nodes: Iterable[Node] = ()) -> None:
        self.nodes: list[Node] = [*nodes]
        self._places: dict[Node, int] = {}
        for place, node in enumerate(self.nodes):
            self._places.setdefault(node, place)

    def add(self, operation: str, *values: Any, name: str = "", number: float = 0.0) -> Value:
        """The value of an operation, or of a leaf."""
        places = tuple(self._place(operation, position, value) for position, value in enumerate(values))
        return Value(self, self._note(Node(operation, places, name, number)))

    def values(self) -> list[Value]:
        """Those of all nodes."""
        return [Value(self, place) for place in range(len(self.nodes))]

    def holds(self, value: Any) -> bool:
        """Whether this is a value of this recording, and no comparison."""
        is_ours = isinstance(value, Value) and value._recording is self
        return is_ours and self.nodes[value._place].operation not in MASKS

    def reached_from(self, results: Sequence[Value]) -> tuple[tuple[Node, ...], tuple[int, ...]]:
        """The nodes that results are made of, in their order, and the places of the results among them."""
        reached = {result._place for result in results}
        for place in reversed(range(len(self.nodes))):
            if place in reached:
                reached.update(self.nodes[place].values)
        places = {place: new for new, place in enumerate(sorted(reached))}
        nodes = (self.nodes[place] for place in places)
        moved = (replace(node, values=tuple(places[value] for value in node.values)) for node in nodes)
        return tuple(moved), tuple(places[result._place] for result in results)

    def _place(self, operation: str, position: int, value: Any) -> int:
        is_choice = operation == "select" and position == 0
        if not isinstance(value, Value):
            if is_choice:
                raise CellError(f"where: expected a comparison to choose by, got {shown(value)}")
            if not isinstance(value, Real):
                raise CellError(f"{operation}: expected values of the cell and numbers, got {shown(value)}")
            return self._note(Node("number", number=_computed(operation, float, value)))
        if value._recording is not self:
            raise CellError(f"{operation}: expected values of this step, got one of another")
        if (self.nodes[value._place].operation in MASKS) != is_choice:
            expected = "a comparison to choose by" if is_choice else "values, which a comparison is none of (see where)"
            raise CellError(f"{operation}: expected {expected}")
        return value._place

    def _note(self, node: Node) -> int:
        place = self._places.setdefault(node, len(self.nodes))
        if place == len(self.nodes):
            self.nodes.append(node)
        return place


class Value:
    """What a gate, a state or an input is at one unit and row, and what is computed of it.

    Arithmetic, comparisons and the functions of ``elman.cells`` make other values of it, in the order in which they
    are written: that order is the promise of equal bits.
    """

    __slots__ = ("_place", "_recording")
    __hash__ = object.__hash__

    def __init__(self, recording: Recording, place: int) -> None:
        self._recording, self._place = recording, place

    def __add__(self, other: Any) -> Value:
        return self._recording.add("add", self, other)

    def __radd__(self, other: Any) -> Value:
        return self._recording.add("add", other, self)

    def __sub__(self, other: Any) -> Value:
        return self._recording.add("subtract", self, other)

    def __rsub__(self, other: Any) -> Value:
        return self._recording.add("subtract", other, self)

    def __mul__(self, other: Any) -> Value:
        return self._recording.add("multiply", self, other)

    def __rmul__(self, other: Any) -> Value:
        return self._recording.add("multiply", other, self)

    def __truediv__(self, other: Any) -> Value:
        return self._recording.add("divide", self, other)

    def __rtruediv__(self, other: Any) -> Value:
        return self._recording.add("divide", other, self)

    def __pow__(self, exponent: Any) -> Value:
        if type(exponent) is not int or not 1 <= exponent <= 8:
            raise CellError(f"**: expected a whole exponent of 1 to 8, got {shown(exponent)}; exp and log make others")
        power = self
        for _ in range(exponent - 1):
            power = power * self
        return power

    def __neg__(self) -> Value:
        return self._recording.add("negate", self)

    def __pos__(self) -> Value:
        return self

    def __abs__(self) -> Value:
        return self._recording.add("abs", self)

    def __lt__(self, other: Any) -> Value:
        return self._recording.add("less", self, other)

    def __le__(self, other: Any) -> Value:
        return self._recording.add("less_equal", self, other)

    def __gt__(self, other: Any) -> Value:
        return self._recording.add("less", other, self)

    def __ge__(self, other: Any) -> Value:
        return self._recording.add("less_equal", other, self)

    def __eq__(self, other: Any) -> Value:  # type: ignore[override]
        return self._recording.add("equal", self, other)

    def __ne__(self, other: Any) -> Any:
        raise CellError("a step has no !=: where(a == b, that, this) instead of where(a != b, this, that)")

    def __bool__(self) -> bool:
        raise CellError("a step cannot branch on values, which differ by unit and row: where(condition, this, that)")

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise CellError(_ONLY_OURS)

    __float__ = __int__ = __index__ = __iter__ = __len__ = __array__ = __getitem__ = _refuse
    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __invert__ = __round__ = _refuse
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __matmul__ = __rmatmul__ = __rpow__ = _refuse

    @classmethod
    def __torch_function__(cls, *_: Any, **__: Any) -> Any:
        raise CellError(_ONLY_OURS)

    def __array_ufunc__(self, function: Any, method: str, *values: Any, **options: Any) -> Any:
        own = _OF_NUMPY.get(function.__name__)  # a number of NumPy's beside a value
        numbers = [value for value in values if not isinstance(value, Value)]
        if own is None or method != "__call__" or options or any(np.ndim(number) for number in numbers):
            return self._refuse()
        return own(*(value if isinstance(value, Value) else float(value) for value in values))


_OF_NUMPY = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "equal": operator.eq,
}


class Gate(Value):
    """A gate's sum ``W_ih x + b_ih + W_hh h + b_hh``; ``.input`` and ``.recurrent`` are its two parts."""

    __slots__ = ("_name",)

    def __init__(self, recording: Recording, name: str) -> None:
        super().__init__(recording, recording.add("gate", name=name)._place)
        self._name = name

    @property
    def input(self) -> Value:
        """``W_ih x + b_ih``."""
        return self._recording.add("gate_input", name=self._name)

    @property
    def recurrent(self) -> Value:
        """``W_hh h + b_hh``."""
        return self._recording.add("gate_recurrent", name=self._name)


class _OfOne(Protocol):
    """A function that makes values of values and numbers of numbers."""

    @overload
    def __call__(self, x: Value) -> Value: ...
    @overload
    def __call__(self, x: float) -> float: ...


class _OfTwo(Protocol):
    @overload
    def __call__(self, a: Value, b: Value | float) -> Value: ...
    @overload
    def __call__(self, a: float, b: Value) -> Value: ...
    @overload
    def __call__(self, a: float, b: float) -> float: ...


def _of_one(function: Callable[[Any], Any]) -> _OfOne:
    return cast(_OfOne, function)


def _of_two(function: Callable[[Any, Any], Any]) -> _OfTwo:
    return cast(_OfTwo, function)


def _function(operation: str, *values: Any) -> Any:
    for value in values:
        if isinstance(value, Value):
            return value._recording.add(operation, *values)
    if operation in _OF_NUMBERS and all(isinstance(value, Real) for value in values):
        return _computed(operation, _OF_NUMBERS[operation], *map(float, values))  # no unit's: computed at once
    expected = "values of the cell or numbers" if operation in _OF_NUMBERS else "a value of the cell"
    raise CellError(f"{operation}: expected {expected}, got {shown(values[0])}")


def _computed(operation: str, function: Callable[..., Any], *numbers: Any) -> Any:
    try:
        return function(*numbers)
    except (ArithmeticError, ValueError) as error:
        raise CellError(f"{operation}: expected numbers that it is defined for, got {shown(numbers[0])}") from error


_OF_NUMBERS: dict[str, Callable[..., Any]] = {
    "tanh": math.tanh,
    "sigma": lambda x: 0.5 * (1.0 + math.tanh(0.5 * x)),
    "relu": lambda x: max(x, 0.0),
    "exp": math.exp,
    "log": math.log,
    "sqrt": math.sqrt,
    "softplus": lambda x: max(x, 0.0) + math.log1p(math.exp(-abs(x))),
    "minimum": min,
    "maximum": max,
    "fma": lambda a, b, c: a * b + c,
}


@_of_one
def tanh(x: Any) -> Any:
    """The hyperbolic tangent."""
    return _function("tanh", x)


@_of_one
def sigma(x: Any) -> Any:
    """The logistic function, 1 / (1 + exp(-x))."""
    return _function("sigma", x)


@_of_one
def relu(x: Any) -> Any:
    """x where it is above 0, else 0; NaN stays."""
    return _function("relu", x)


@_of_one
def exp(x: Any) -> Any:
    """e to the power of x."""
    return _function("exp", x)


@_of_one
def log(x: Any) -> Any:
    """The natural logarithm."""
    return _function("log", x)


@_of_one
def sqrt(x: Any) -> Any:
    """The square root."""
    return _function("sqrt", x)


@_of_one
def softplus(x: Any) -> Any:
    """log(1 + exp(x))."""
    return _function("softplus", x)


@_of_two
def minimum(a: Any, b: Any) -> Any:
    """The smaller of two; NaN where either is."""
    return _function("minimum", a, b)


@_of_two
def maximum(a: Any, b: Any) -> Any:
    """The larger of two; NaN where either is."""
    return _function("maximum", a, b)


@overload
def where(condition: Value, this: Value | float, that: Value | float) -> Value: ...
@overload
def where(condition: bool, this: Value, that: Value) -> Value: ...
@overload
def where(condition: bool, this: float, that: float) -> float: ...
@overload
def where(condition: Value | bool, this: Value | float, that: Value | float) -> Value | float: ...
def where(condition: Any, this: Any, that: Any) -> Any:
    """``this`` where the comparison holds, else ``that``."""
    if isinstance(condition, bool | np.bool_):
        return this if condition else that  # of numbers, which are compared at once
    return _function("select", condition, this, that)


@overload
def fma(a: Value, b: Value | float, c: Value | float) -> Value: ...
@overload
def fma(a: float, b: Value, c: Value | float) -> Value: ...
@overload
def fma(a: float, b: float, c: Value) -> Value: ...
@overload
def fma(a: float, b: float, c: float) -> float: ...
def fma(a: Any, b: Any, c: Any) -> Any:
    """a b + c, rounded once."""
    return _function("fma", a, b, c)


def sum_units(x: Value) -> Value:
    """The sum over the hidden units of a row, the same for each of them."""
    return cast(Value, _function("sum_units", x))


@_of_one
def mean_units(x: Any) -> Any:
    """The mean over the hidden units of a row, the same for each of them."""
    if isinstance(x, Real):
        return float(x)
    return sum_units(x) / x._recording.add("units")
