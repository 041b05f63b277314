"""What a text classifier's prediction needs beside its tensors and its vocabulary."""

from collections.abc import Mapping
from dataclasses import dataclass
from reprlib import repr as shortened
from typing import Annotated, Any, Literal

import numpy as np

from elman._errors import InputError
from elman._schema import Range
from elman.runtime._parameters import Sizes
from elman.runtime._words import OLDER, Segmentation, kind_of_tokens

__all__ = ["Network", "Size", "Text", "TextSettings", "check_classes"]

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
    """How a text becomes tokens, and what the columns of the training file were called."""

    tokens: Literal["char", "word"]
    max_length: Size
    columns: dict[str, str]
    segmentation: Segmentation = OLDER

    @property
    def kind_of_tokens(self) -> str:
        return kind_of_tokens(self.tokens, self.segmentation)


@dataclass(frozen=True)
class TextSettings:
    """The labels, how a text becomes tokens, and the network's sizes."""

    classes: list[str | int | float | bool]
    text: Text
    network: Network

    def check(self, name: str) -> None:
        check_classes(self.classes, name)

    def shapes(self, sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
        network = self.network
        rnn = Sizes(network.embedding_size, network.hidden_size, network.layers, network.bidirectional, bias=True)
        return {
            "embedding.weight": (sizes["vocabulary"], network.embedding_size),
            **{f"rnn.{name}": shape for name, shape in rnn.shapes().items()},
            "output.weight": (len(self.classes), 3 * rnn.directions * network.hidden_size),
            "output.bias": (len(self.classes),),
        }


def check_classes(classes: list[Any], name: str) -> None:
    """See that labels are two or more, all different, of one type, and that an array holds them.

    Raises:
        InputError: they are not; ``name`` is the file's that said so.
    """
    types = {type(label) for label in classes}
    if len(types) != 1 or not 2 <= len(set(classes)) == len(classes) or not _fit_array(classes):
        got = shortened(classes)
        raise InputError(f"{name}: expected two classes or more, all different and of one type, got {got}")


def _fit_array(classes: list[Any]) -> bool:
    """Whether an array holds them: it drops NULs at a string's end, and makes floats of integers too far apart."""
    held = np.array(classes).tolist()
    return list(map(repr, held)) == list(map(repr, classes))
