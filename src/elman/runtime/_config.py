"""``config.json``: the classes, how texts become tokens, the network's sizes, and how it was made."""

from dataclasses import dataclass
from reprlib import repr as shortened
from typing import Annotated, Any, Literal

import numpy as np

from elman._errors import InputError
from elman._schema import Range, build, parse_json

__all__ = ["FORMAT", "VERSION", "Config", "Network", "Text", "read_config", "read_head"]

FORMAT = "elman text classifier"
VERSION = 1

Size = Annotated[int, Range(1, 2**31)]


@dataclass(frozen=True)
class Network:
    """The sizes of a network; pooling and nonlinearity have one value yet."""

    embedding_size: Size
    hidden_size: Size
    layers: Annotated[int, Range(1, 1000)]
    bidirectional: bool
    nonlinearity: Literal["tanh"] = "tanh"
    pooling: Literal["max mean final"] = "max mean final"


@dataclass(frozen=True)
class Text:
    """How a text becomes tokens."""

    tokens: Literal["char", "word"]
    max_length: Size
    columns: dict[str, str]


@dataclass(frozen=True)
class Config:
    """What ``config.json`` holds."""

    format: str
    version: int
    classes: list[str | int | float | bool]
    text: Text
    network: Network
    options: dict[str, Any]
    data: dict[str, Any]
    made_with: dict[str, str]


def read_head(content: bytes, name: str) -> Any:
    """Return what the file holds once it is known to be of this format and version.

    Raises:
        InputError: it is of another.
    """
    values = parse_json(content, name)
    head = values if isinstance(values, dict) else {}
    if head.get("format") != FORMAT:
        raise InputError(f"{name}: expected the format {FORMAT!r}, got {shortened(head.get('format'))}")
    if head.get("version") != VERSION:
        raise InputError(f"{name}: expected version {VERSION}, got version {shortened(head.get('version'))}")
    return values


def read_config(content: bytes, name: str) -> Config:
    """Read a configuration.

    Args:
        content: the file's bytes.
        name: the file's, for messages.

    Raises:
        InputError: it is of another format or version, or damaged.
    """
    config = build(read_head(content, name), Config, name)
    build(config.data.get("training_by_class", {}), dict[str, int], name, "data.training_by_class")
    types = {type(label) for label in config.classes}
    if len(types) != 1 or not 2 <= len(set(config.classes)) == len(config.classes) or not _fit_array(config.classes):
        got = shortened(config.classes)
        raise InputError(f"{name}: expected two classes or more, all different and of one type, got {got}")
    return config


def _fit_array(classes: list[Any]) -> bool:
    """Whether an array holds them: it drops NULs at a string's end, and makes floats of integers too far apart."""
    held = np.array(classes).tolist()
    return list(map(repr, held)) == list(map(repr, classes))
