"""The limits that the options of training share with the settings of model folders."""

from typing import TYPE_CHECKING, Annotated, Literal

from elman._cells import FAMILIES
from elman._schema import Range

__all__ = ["CellName", "Count", "HiddenSize", "Ngram", "Size"]

if TYPE_CHECKING:
    CellName = str
else:
    CellName = Literal[tuple(FAMILIES)]

Size = Annotated[int, Range(1, 2**31 - 1)]
HiddenSize = Annotated[int, Range(1, 2**20)]
Count = Annotated[int, Range(1, 1000)]  # of layers and networks
Ngram = Annotated[int, Range(1, 16)]
