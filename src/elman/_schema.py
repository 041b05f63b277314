"""JSON into dataclasses by their annotations; whatever else it holds is refused in one line that says where."""

import json
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from functools import cache
from math import isfinite
from reprlib import repr as shortened
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from elman._errors import InputError, either

__all__ = ["UNSAID", "Range", "build", "decode", "parse_json", "stated"]

T = TypeVar("T")

UNSAID = {"unsaid": True}  # of fields that files did not have from the first: their default is not written
DEEPEST = 100  # JSON within JSON; what nests deeper could exhaust the stack of whoever prints it
NAMES = {str: "a string", int: "an integer", float: "a number", bool: "true or false", NoneType: "null"}


@dataclass(frozen=True)
class Range:
    """The least and the greatest value of an annotated number: ``Annotated[int, Range(1, 1000)]``."""

    least: float
    most: float


def stated(value: Any) -> dict[str, Any]:
    """Return what a file says of a dataclass: its fields by name, those of dataclasses in it too, but none UNSAID."""
    said = {}
    for known in fields(value):
        inner = getattr(value, known.name)
        default = known.default if known.default_factory is MISSING else known.default_factory()
        if not (known.metadata == UNSAID and inner == default):
            said[known.name] = stated(inner) if is_dataclass(inner) else inner
    return said


def decode(content: bytes, schema: type[T], name: str) -> T:
    """Read JSON as a value of a type: :func:`parse_json`, then :func:`build`, with their arguments and refusals."""
    return build(parse_json(content, name), schema, name)


def parse_json(content: bytes, name: str) -> Any:
    """Read JSON as Python's own values: UTF-8, no key twice, finite numbers, integers of 64 bits, not too deep.

    Raises:
        InputError: it is no such JSON.
    """
    try:
        value = json.loads(content.decode(), object_pairs_hook=_object)
        _check(value)
    except RecursionError:
        raise InputError(f"{name}: expected JSON, got values nested too deep") from None
    except (UnicodeDecodeError, UnicodeEncodeError) as error:
        raise InputError(f"{name}: expected UTF-8 text, got: {error.reason}") from None
    except ValueError as error:  # JSONDecodeError and the refusals below
        raise InputError(f"{name}: expected JSON, got: {error}") from None
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        [(key, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {shortened(key)} twice")
    return value


def _check(value: Any, depth: int = 0) -> None:
    if depth > DEEPEST:
        raise RecursionError
    if isinstance(value, str):
        value.encode()  # half of a surrogate pair is no text
    elif (isinstance(value, float) and not isfinite(value)) or (isinstance(value, int) and abs(value) >= 2**64):
        raise ValueError(f"the number {shortened(value)}")
    elif isinstance(value, list | dict):
        for part in value if isinstance(value, list) else (*value, *value.values()):
            _check(part, depth + 1)


def build(value: Any, schema: type[T], name: str, place: str = "") -> T:
    """Make a value of a type from JSON's.

    Args:
        value: what :func:`parse_json` returned, or a part of it.
        schema: a dataclass, a type of JSON's, ``list``, ``tuple[..., ...]`` or ``dict[str, ...]`` of such, a union,
            a ``Literal``, or ``Any``; numbers may be annotated with a :class:`Range`.
        name: the file's, for messages.
        place: the value's within the file: its keys with dots between.

    Raises:
        InputError: it is of another type or out of range, or a key is missing or unknown.
    """
    result: T = _build(value, schema, name, place)
    return result


def _build(value: Any, schema: Any, name: str, place: str) -> Any:
    if schema is Any or type(value) is schema:  # first, for lists may be long
        return value
    origin, arguments = get_origin(schema), get_args(schema)
    if origin is Annotated:
        number, limits = _build(value, arguments[0], name, place), arguments[1]
        if limits.least <= number <= limits.most:
            return number
        raise _refusal(name, place, f"a number from {limits.least} to {limits.most}", value)
    if origin in (Union, UnionType):
        if type(value) in arguments:
            return value
        for choice in arguments:
            with suppress(InputError):
                return _build(value, choice, name, place)
        raise _refusal(name, place, either(map(_describe, arguments)), value)
    if origin is Literal:
        if any(type(value) is type(choice) and value == choice for choice in arguments):
            return value
        raise _refusal(name, place, either(map(repr, arguments)), value)
    if origin in (list, tuple) and isinstance(value, list):
        return origin(_build(part, arguments[0], name, f"{place}[{i}]") for i, part in enumerate(value))
    if origin is dict and isinstance(value, dict):
        return {key: _build(part, arguments[1], name, f"{place}[{shortened(key)}]") for key, part in value.items()}
    if is_dataclass(schema) and isinstance(value, dict):
        return _build_dataclass(value, schema, name, place)
    if schema is float and type(value) is int:
        return float(value)
    raise _refusal(name, place, _describe(schema), value)


def _build_dataclass(value: Mapping[str, Any], schema: Any, name: str, place: str) -> Any:
    known: dict[str, Field[Any]] = {field.name: field for field in fields(schema)}
    former = getattr(schema, "FORMER", {})  # keys that older files have, and nothing depends on any more
    for key, part in value.items():
        if key in former:
            _build(part, former[key], name, f"{place}.{key}".removeprefix("."))
        elif key not in known:
            within = f" in {place}" if place else ""
            raise InputError(f"{name}: expected only the keys {', '.join(known)}{within}, got {shortened(key)}")
    types = _annotations(schema)
    built = {}
    for key, field in known.items():
        inner = f"{place}.{key}".removeprefix(".")
        if key in value:
            built[key] = _build(value[key], types[key], name, inner)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise InputError(f"{name}: expected the key {inner}, got none of that name")
    return schema(**built)


@cache
def _annotations(schema: Any) -> dict[str, Any]:
    """Return the types of a dataclass's fields; finding them out takes longer than all the rest."""
    return get_type_hints(schema, include_extras=True)


def _refusal(name: str, place: str, expected: str, got: Any) -> InputError:
    return InputError(f"{name}: expected {f'{place} to be ' if place else ''}{expected}, got {shortened(got)}")


def _describe(schema: Any) -> str:
    if get_origin(schema) is Annotated:
        return _describe(get_args(schema)[0])
    if is_dataclass(schema) or get_origin(schema) is dict:
        return "an object"
    return NAMES.get(schema, "a list")
