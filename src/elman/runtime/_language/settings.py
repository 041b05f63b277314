"""What a language model's prediction needs beside its tensors and its vocabulary."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from elman._schema import Range
from elman.runtime._classifiers.text_settings import Size
from elman.runtime._parameters import Sizes
from elman.runtime._words import OLDER, Segmentation, kind_of_tokens

__all__ = ["MOST_NGRAM", "LanguageNetwork", "LanguageSettings"]

MOST_NGRAM = 16


@dataclass(frozen=True)
class LanguageNetwork:
    """The sizes of a network."""

    embedding_size: Size
    hidden_size: Size
    layers: Annotated[int, Range(1, 1000)]
    ngram: Annotated[
        int, Range(1, MOST_NGRAM)
    ]  # tokens of the longest n-gram that has a vector; 1: single tokens alone
    ngram_rows: Size
    nonlinearity: Literal["tanh"] = "tanh"


@dataclass(frozen=True)
class LanguageSettings:
    """What a token is, and the network's sizes."""

    tokens: Literal["char", "word"]
    network: LanguageNetwork
    columns: dict[str, str] = field(default_factory=dict)  # a text has none
    segmentation: Segmentation = OLDER

    @property
    def kind_of_tokens(self) -> str:
        return kind_of_tokens(self.tokens, self.segmentation)

    def check(self, name: str) -> None:
        """Nothing here can contradict anything else."""

    def shapes(self, sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
        network = self.network
        rnn = Sizes(network.embedding_size, network.hidden_size, network.layers, bidirectional=False, bias=True)
        return {
            "embedding.weight": (sizes["vocabulary"], network.embedding_size),
            **({"ngrams.weight": (network.ngram_rows, network.embedding_size)} if network.ngram > 1 else {}),
            **{f"rnn.{name}": shape for name, shape in rnn.shapes().items()},
            "projection.weight": (network.embedding_size, network.hidden_size),
            "projection.bias": (network.embedding_size,),
            "output_bias": (sizes["vocabulary"],),
        }
