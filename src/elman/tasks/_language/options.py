"""The options of a language model."""

from dataclasses import dataclass
from typing import Annotated, Literal

from elman._limits import Ngram, Size
from elman.tasks._options import DATA, FRACTION, NETWORK, TRAINING, EmbeddingSize, Help, TrainingOptions

__all__ = ["LanguageOptions"]

NGRAM = "tokens of the longest n-gram that the network reads as a whole; 1: single tokens alone"
FORGOTTEN = "0.3 to 0.8, the more the shorter the text is and the more tokens are known"
VALIDATION = "share of the text, its tail, held out to choose the best epoch by; 0 for none"


@dataclass(kw_only=True, repr=False, eq=False)
class LanguageOptions(TrainingOptions):
    """Those of a language model."""

    hidden_size: Annotated[int, Help("units of each recurrent layer")] = 256
    embedding_size: EmbeddingSize = 128
    dropout: float = 0.2
    tokens: Annotated[Literal["char", "word"], DATA, Help("what a token is")] = "char"
    ngram: Annotated[Ngram, NETWORK, Help(NGRAM)] = 6
    ngram_dropout: Annotated[
        float | None, FRACTION, NETWORK, Help("share of the n-grams forgotten at each training step", FORGOTTEN)
    ] = None
    window: Annotated[Size, TRAINING, Help("steps that gradients reach back")] = 64
    learning_rate: float = 4e-3
    epochs: Annotated[Size | None, Help("times the text is read, at most", "1 to 8, the fewer the longer it is")] = None
    batch_size: Annotated[Size | None, Help("windows of each step", "4 to 64, the more the longer the text is")] = None
    validation: Annotated[float, Help(VALIDATION)] = 0.05
