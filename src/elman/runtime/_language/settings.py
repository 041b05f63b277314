"""What a language model's prediction needs beside its tensors and its vocabulary."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from elman._limits import Ngram, Size
from elman._schema import UNSAID
from elman.runtime._linear import linear_shapes
from elman.runtime._recurrent_sizes import RecurrentSizes
from elman.runtime._words import OLDER, Segmentation, kind_of_tokens

__all__ = ["LanguageSettings", "LanguageSizes"]


@dataclass(frozen=True, kw_only=True)
class LanguageSizes(RecurrentSizes):
    """The sizes of a network that models a language.

    Args:
        embedding_size: of the vectors of tokens and n-grams.
        ngram: tokens of the longest n-gram that has a vector; 1: single tokens alone.
        ngram_rows: vectors that all n-grams share.
    """

    bidirectional: Literal[False] = field(default=False, metadata=UNSAID)
    embedding_size: Size
    ngram: Ngram
    ngram_rows: Size


@dataclass(frozen=True)
class LanguageSettings:
    """What a token is, and the network's sizes."""

    tokens: Literal["char", "word"]
    network: LanguageSizes
    columns: dict[str, str] = field(default_factory=dict)  # a text has none
    segmentation: Segmentation = field(default=OLDER, metadata=UNSAID)

    @property
    def kind_of_tokens(self) -> str:
        return kind_of_tokens(self.tokens, self.segmentation)

    def check(self, name: str) -> None:
        """Nothing here can contradict anything else."""

    def shapes(self, sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
        network, known = self.network, sizes["vocabulary"]
        width = network.embedding_size
        return {
            "embedding.weight": (known, width),
            **({"ngrams.weight": (network.ngram_rows, width)} if network.ngram > 1 else {}),
            **network.shapes(width),
            **linear_shapes("projection", network.hidden_size, width),
            "output_bias": (known,),
        }
