"""The options of estimators, each a field of a dataclass: its default, its limits, and what it is for."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from inspect import get_annotations
from textwrap import fill
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from elman._checks import is_integer, is_number
from elman._errors import OptionError, either
from elman._limits import CellName, Count, HiddenSize, Size
from elman._schema import Range

__all__ = [
    "DATA",
    "FRACTION",
    "NETWORK",
    "SHARE",
    "Bidirectional",
    "EmbeddingSize",
    "Group",
    "Help",
    "Number",
    "Option",
    "TrainingOptions",
    "check_options",
    "documented",
    "options_of",
]


@dataclass(frozen=True)
class Help:
    """What an option is for, in docstrings and in ``elman train --help``: words without a capital or a full stop.

    Args:
        text: the words.
        otherwise: what ``None`` stands for, where it is allowed: a choice made from the data.
    """

    text: str
    otherwise: str = ""


@dataclass(frozen=True)
class Group:
    """The group of ``elman train --help`` that an option stands in."""

    title: str


@dataclass(frozen=True)
class Number:
    """The limits of a real number.

    Args:
        metavar: what ``--help`` calls it.
        expected: what it may be, in words.
        holds: whether it is so.
    """

    metavar: str
    expected: str
    holds: Callable[[Any], bool]


FRACTION = Number("FRACTION", "a number from 0 to below 1", lambda value: 0 <= value < 1)
FRACTION_OR_FILE = replace(FRACTION, metavar="FRACTION|FILE")
SHARE = Number("SHARE", "a number between 0 and 1", lambda value: 0 < value < 1)
RATE = Number("RATE", "a number above 0", lambda value: 0 < value < math.inf)
DATA, NETWORK, TRAINING, RUNNING = map(Group, ("Data", "Network", "Training", "Running"))
# Of several estimators, not of all:
EmbeddingSize = Annotated[Size, NETWORK, Help("width of the vector that stands for a token")]
Bidirectional = Annotated[bool, NETWORK, Help("whether each layer also reads backwards")]


@dataclass(kw_only=True, repr=False, eq=False)
class TrainingOptions:
    """Those of every estimator.

    The annotation of each says what it is for and its limits. A subclass annotates anew what differs: the default, and
    of what is said that alone.
    """

    cell: Annotated[
        CellName,
        NETWORK,
        Help("cell of the recurrent layers: Elman's, gated recurrent units, or long short-term memory"),
    ] = "rnn"
    hidden_size: Annotated[HiddenSize, NETWORK, Help("units of each recurrent layer and direction")] = 128
    layers: Annotated[Count, NETWORK, Help("recurrent layers")] = 1
    dropout: Annotated[float, FRACTION, NETWORK, Help("share of the features forgotten at each training step")] = 0.4
    engine: Annotated[
        Literal["elman", "torch"], NETWORK, Help("whose recurrent layers: those of elman.nn or of torch.nn")
    ] = "elman"
    learning_rate: Annotated[
        float, RATE, TRAINING, Help("AdamW's highest, to which it rises before it falls to zero")
    ] = 3e-3
    epochs: Annotated[Size | None, TRAINING, Help("times the data are read, at most", "chosen from the data")] = None
    batch_size: Annotated[Size | None, TRAINING, Help("examples of each step", "chosen from the data")] = None
    seed: Annotated[int, Range(0, 2**31 - 1), TRAINING, Help("seed of everything drawn at random")] = 0
    validation: Annotated[
        float,
        FRACTION_OR_FILE,
        DATA,
        Help("share of the examples set aside to choose the best epoch by; 0 for none"),
    ] = 0.1
    threads: Annotated[Size | None, RUNNING, Help("threads to train with", "as many as torch uses")] = None


@dataclass(frozen=True)
class Option:
    """A field of an estimator's options, as its annotations have it.

    Args:
        name, default: of the field.
        type: int, float, bool or a Literal.
        optional: whether it may be None.
        notes: of the annotations, by their class.
    """

    name: str
    default: Any
    type: Any
    optional: bool
    notes: dict[Any, Any]

    @property
    def choices(self) -> tuple[str, ...]:
        return get_args(self.type) if get_origin(self.type) is Literal else ()

    def refusal(self, value: Any) -> str:
        """Return what was expected in the place of a value, nothing if it will do."""
        if value is None and self.optional:
            return ""
        if self.choices:
            return "" if isinstance(value, str) and value in self.choices else either(self.choices)
        if self.type is bool:
            return "" if isinstance(value, bool) else "True or False"
        if self.type is float:
            limits: Number = self.notes[Number]
            return "" if is_number(value) and limits.holds(value) else limits.expected
        within: Range = self.notes[Range]
        if not is_integer(value, within.least):
            return f"an integer of at least {within.least}"
        return "" if value <= within.most else f"an integer of at most {within.most}"


def options_of(estimator: type[TrainingOptions]) -> Iterator[Option]:
    """Yield the options of an estimator, or of the dataclass that it has them from."""
    said: dict[str, tuple[Any, bool, dict[Any, Any]]] = {}
    for each in reversed(estimator.__mro__):
        for name, annotation in get_annotations(each).items():
            before = said[name][2] if name in said else {}
            type_, optional, notes = _read(annotation)
            said[name] = type_, optional, before | notes
    for field in fields(estimator):
        yield Option(field.name, field.default, *said[field.name])


def _read(annotation: Any) -> tuple[Any, bool, dict[Any, Any]]:
    """Return the type that an annotation holds, whether it may be None, and the notes by their class."""
    parts = get_args(annotation)
    if get_origin(annotation) is Annotated:
        type_, optional, notes = _read(parts[0])
        return type_, optional, notes | {type(note): note for note in parts[1:]}
    if get_origin(annotation) in (Union, UnionType):
        (part,) = (part for part in parts if part is not NoneType)
        type_, _, notes = _read(part)
        return type_, True, notes
    return annotation, False, {}


def check_options(estimator: type[TrainingOptions], values: Mapping[str, Any]) -> None:
    """Check the options of an estimator.

    Raises:
        OptionError: one is out of range or of another type; the message names it.
    """
    for option in options_of(estimator):
        expected = option.refusal(values[option.name])
        if expected:
            raise OptionError(option.name, expected, values[option.name])


def documented(estimator: type[TrainingOptions]) -> str:
    """Return an estimator's docstring with its options before its attributes, its own before those of all."""
    of_all, lines = get_annotations(TrainingOptions), []
    for option in sorted(options_of(estimator), key=lambda option: option.name in of_all):
        help: Help = option.notes[Help]
        line = f"{option.name}: {help.text}" + (f"; ``None``: {help.otherwise}." if option.optional else ".")
        lines.append(fill(line, 116, initial_indent=" " * 8, subsequent_indent=" " * 12, break_on_hyphens=False))
    before, attributes, rest = (estimator.__doc__ or "").partition("    Attributes:\n")
    return "\n".join([f"{before}    Args:", *lines, "", f"{attributes}{rest}"])
