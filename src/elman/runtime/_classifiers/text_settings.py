"""What a text classifier's prediction needs beside its tensors and its vocabulary."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from elman._limits import Size
from elman._schema import UNSAID
from elman.runtime._classifiers.settings import ClassifierSizes, check_classes
from elman.runtime._ngrams import CountedNgrams
from elman.runtime._words import OLDER, Segmentation, kind_of_tokens

__all__ = ["Text", "TextSettings", "TextSizes"]


@dataclass(frozen=True, kw_only=True)
class TextSizes(CountedNgrams, ClassifierSizes):
    """The sizes of a network that reads texts."""

    embedding_size: Size


@dataclass(frozen=True)
class Text:
    """How a text becomes tokens, and what the columns of the training file were called."""

    tokens: Literal["char", "word"]
    max_length: Size
    columns: dict[str, str]
    segmentation: Segmentation = field(default=OLDER, metadata=UNSAID)

    @property
    def kind_of_tokens(self) -> str:
        return kind_of_tokens(self.tokens, self.segmentation)


@dataclass(frozen=True)
class TextSettings:
    """The labels, how a text becomes tokens, and the network's sizes."""

    classes: list[str | int | float | bool]
    text: Text
    network: TextSizes

    def check(self, name: str) -> None:
        check_classes(self.classes, name)

    def shapes(self, sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
        network = self.network
        embedding, classes = {"embedding.weight": (sizes["vocabulary"], network.embedding_size)}, len(self.classes)
        return embedding | network.ngram_shapes(classes) | network.layer_shapes(network.embedding_size, classes)
