"""The options of a sequence tagger."""

from dataclasses import dataclass
from typing import Annotated

from elman._limits import Ngram, Size
from elman._schema import Range
from elman.tasks._options import DATA, NETWORK, Bidirectional, EmbeddingSize, Help, TrainingOptions

__all__ = ["TaggerOptions"]

CHARACTERS = "width of a character's vector, and units of the network over a word's characters; 0: none"
NGRAM = (
    "tokens of the longest n-gram, ending or beginning with each, that counts by itself, beside the network; 1: none"
)
REPAIR = "whether ill-formed tags, such as I- after O, are read as conlleval reads them, and not refused"
VALIDATION = "share set aside: of 500 sentences or more to choose the best epoch by, of fewer to measure; 0 for none"


@dataclass(kw_only=True, repr=False, eq=False)
class TaggerOptions(TrainingOptions):
    """Those of a sequence tagger."""

    embedding_size: EmbeddingSize = 128
    character_size: Annotated[int, Range(0, 2**31 - 1), NETWORK, Help(CHARACTERS)] = 32
    bidirectional: Bidirectional = True
    ngram: Annotated[Ngram | None, NETWORK, Help(NGRAM, "2 of words, 1 of single characters")] = None
    epochs: Annotated[
        Size | None, Help("times the sentences are read", "5 to 40, the fewer the more tokens there are")
    ] = None
    batch_size: Annotated[
        Size | None, Help("sentences of each step", "4 to 64, the more the more and the shorter they are")
    ] = None
    validation: Annotated[float, Help(VALIDATION)] = 0.1
    repair_tags: Annotated[bool, DATA, Help(REPAIR)] = False
