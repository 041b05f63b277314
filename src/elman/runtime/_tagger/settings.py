"""What a sequence tagger's prediction needs beside its tensors and its vocabularies."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from elman._errors import InputError, shown
from elman._limits import Size
from elman._schema import UNSAID, Range
from elman.runtime._classifiers.settings import check_classes
from elman.runtime._linear import linear_shapes
from elman.runtime._ngrams import CountedNgrams
from elman.runtime._recurrent_sizes import RecurrentSizes
from elman.runtime._tagger.tags import OUTSIDE, PLAIN, Scheme, is_tag_of
from elman.runtime._words import OLDER, Segmentation, kind_of_tokens

__all__ = ["TaggerSettings", "TaggerSizes"]


@dataclass(frozen=True, kw_only=True)
class TaggerSizes(CountedNgrams, RecurrentSizes):
    """The sizes of a network that tags; ``character_size`` 0: it does not read the characters of words."""

    embedding_size: Size
    character_size: Annotated[int, Range(0, 2**31 - 1)]

    @property
    def spelling(self) -> RecurrentSizes:
        """The layer over the characters of a word."""
        return RecurrentSizes(hidden_size=self.character_size, layers=1, bidirectional=True, cell=self.cell)

    @property
    def sides(self) -> tuple[int, int]:
        """How many words before each, and after it, its n-grams reach; one direction sees nothing of what follows."""
        return self.ngram - 1, self.ngram - 1 if self.bidirectional else 0

    @property
    def input_size(self) -> int:
        """Of the layers over words."""
        return self.embedding_size + self.spelling.features


@dataclass(frozen=True)
class TaggerSettings:
    """The tags, what they are written in, how a text becomes tokens, what the training file's columns were called.

    ``transitions``: whether it is known how often a tag follows another, which older models have not counted.
    """

    tags: list[str]
    scheme: Scheme
    tokens: Literal["char", "word"]
    columns: dict[str, str]
    network: TaggerSizes
    segmentation: Segmentation = field(default=OLDER, metadata=UNSAID)
    transitions: bool = field(default=False, metadata=UNSAID)

    @property
    def kind_of_tokens(self) -> str:
        return kind_of_tokens(self.tokens, self.segmentation)

    def check(self, name: str) -> None:
        check_classes(list(self.tags), name)
        if self.scheme == PLAIN:
            return
        if OUTSIDE not in self.tags:
            raise InputError(f"{name}: expected the tag {OUTSIDE} among those of {self.scheme}, got none")
        for tag in self.tags:
            if not is_tag_of(self.scheme, tag):
                raise InputError(f"{name}: expected tags of {self.scheme}, got {shown(tag)}")

    def shapes(self, sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
        network, width = self.network, self.network.character_size
        of_characters = {
            "character_embedding.weight": (sizes["characters"], width),
            **network.spelling.shapes(width, "character_rnn."),
        }
        around = len(self.tags) + 1
        return {
            "embedding.weight": (sizes["words"], network.embedding_size),
            **(of_characters if width else {}),
            **network.ngram_shapes(len(self.tags)),
            **network.shapes(network.input_size),
            **linear_shapes("output", network.features, len(self.tags)),
            **({"transitions": (around, around)} if self.transitions else {}),
        }
