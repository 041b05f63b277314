"""The limits that the options of training share with the settings of model folders."""

from typing import Annotated

from elman._schema import Range

__all__ = ["Count", "HiddenSize", "Ngram", "Size"]

Size = Annotated[int, Range(1, 2**31 - 1)]
HiddenSize = Annotated[int, Range(1, 2**20)]
Count = Annotated[int, Range(1, 1000)]  # of layers and networks
Ngram = Annotated[int, Range(1, 16)]
