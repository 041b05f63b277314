"""The options of classifiers."""

from dataclasses import dataclass
from typing import Annotated, Literal

from elman._limits import Ngram, Size
from elman.tasks._options import Bidirectional, EmbeddingSize, Group, Help, TrainingOptions

__all__ = ["ClassifierOptions", "SequenceOptions", "TextOptions"]

EPOCHS = "6 to 60 for texts, 10 to 150 for sequences of numbers, the fewer the more there are"
NGRAM = "tokens of the longest n-gram that counts by itself, beside the network; 1: none does"
FEW_KNOWN = "3 where fewer than a thousand tokens are known, as of an alphabet, else 1"
VALIDATION = "share set aside to choose the best epoch by, of fewer than 500 sequences to measure; 0 for none"
FRAMES = "so many that half of the sequences have 64 frames at most"


@dataclass(kw_only=True, repr=False, eq=False)
class ClassifierOptions(TrainingOptions):
    """Those of all classifiers."""

    bidirectional: Bidirectional = True
    epochs: Annotated[Size | None, Help("times the examples are read, at most", EPOCHS)] = None
    batch_size: Annotated[Size | None, Help("examples of each step", "16 to 64, the more the more there are")] = None
    validation: Annotated[float, Help(VALIDATION)] = 0.1


@dataclass(kw_only=True, repr=False, eq=False)
class TextOptions(ClassifierOptions):
    """Those of a classifier of texts."""

    embedding_size: EmbeddingSize = 128
    ngram: Annotated[Ngram | None, Group("Texts"), Help(NGRAM, FEW_KNOWN)] = None
    tokens: Annotated[
        Literal["char", "word"] | None,
        Group("Texts"),
        Help("what a token is", "words where texts have spaces and several words each"),
    ] = None
    max_length: Annotated[Size, Group("Texts"), Help("tokens read of a text; the rest is not looked at")] = 512


@dataclass(kw_only=True, repr=False, eq=False)
class SequenceOptions(ClassifierOptions):
    """Those of a classifier of sequences of numbers."""

    frame_size: Annotated[Size | None, Group("Numbers"), Help("steps that the network reads at once", FRAMES)] = None
