"""What a sequence tagger's prediction needs beside its tensors and its vocabularies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from elman._errors import InputError, shown
from elman._schema import Range
from elman.runtime._classifiers.text_settings import Size, check_classes
from elman.runtime._parameters import Sizes
from elman.runtime._tagger.tags import OUTSIDE, PLAIN, Scheme, is_tag_of
from elman.runtime._words import OLDER, Segmentation, kind_of_tokens

__all__ = ["TaggerNetwork", "TaggerSettings"]


@dataclass(frozen=True)
class TaggerNetwork:
    """The sizes of a network; ``character_size`` 0: it does not read the characters of words."""

    embedding_size: Size
    character_size: Annotated[int, Range(0, 2**31)]
    hidden_size: Size
    layers: Annotated[int, Range(1, 1000)]
    bidirectional: bool
    nonlinearity: Literal["tanh"] = "tanh"


@dataclass(frozen=True)
class TaggerSettings:
    """The tags, what they are written in, how a text becomes tokens, what the training file's columns were called."""

    tags: list[str]
    scheme: Scheme
    tokens: Literal["char", "word"]
    columns: dict[str, str]
    network: TaggerNetwork
    segmentation: Segmentation = OLDER

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
        network, characters = self.network, self.network.character_size
        spelled = Sizes(characters, characters, 1, bidirectional=True, bias=True)
        read = network.embedding_size + 2 * characters
        rnn = Sizes(read, network.hidden_size, network.layers, network.bidirectional, bias=True)
        of_characters = {
            "character_embedding.weight": (sizes["characters"], characters),
            **{f"character_rnn.{name}": shape for name, shape in spelled.shapes().items()},
        }
        return {
            "embedding.weight": (sizes["words"], network.embedding_size),
            **(of_characters if characters else {}),
            **{f"rnn.{name}": shape for name, shape in rnn.shapes().items()},
            "output.weight": (len(self.tags), rnn.directions * network.hidden_size),
            "output.bias": (len(self.tags),),
        }
