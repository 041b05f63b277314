"""What the prediction of a classifier of sequences needs beside its tensors."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from reprlib import repr as shortened

from elman._errors import InputError
from elman._limits import Size
from elman.runtime._classifiers.settings import ClassifierSizes, check_classes

__all__ = ["SequenceSettings"]


@dataclass(frozen=True)
class SequenceSettings:
    """The labels, how a sequence becomes what the network reads, and the network's sizes.

    Args:
        classes: the labels.
        channels: what the channels are called.
        flagged: the numbers of those channels of which the network is also told where they are missing.
        frame_size: steps that the network reads at once.
        network: its sizes.
        columns: what the columns of the training file were called.
    """

    classes: list[str | int | float | bool]
    channels: list[str]
    flagged: list[int]
    frame_size: Size
    network: ClassifierSizes
    columns: dict[str, str] = field(default_factory=dict)

    @property
    def input_size(self) -> int:
        return self.frame_size * (len(self.channels) + len(self.flagged))

    def check(self, name: str) -> None:
        check_classes(self.classes, name)
        if not 0 < len(self.channels) == len(set(self.channels)):
            got = shortened(self.channels)
            raise InputError(f"{name}: expected one channel or more, all of different names, got {got}")
        if self.flagged != sorted(set(self.flagged) & set(range(len(self.channels)))):
            got = shortened(self.flagged)
            raise InputError(f"{name}: expected flagged to be numbers of channels, ascending, got {got}")

    def shapes(self, sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
        channels = len(self.channels)
        layers = self.network.layer_shapes(self.input_size, len(self.classes))
        return {"mean": (channels,), "scale": (channels,)} | layers
