"""What the prediction of a classifier of sequences needs beside its tensors."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from reprlib import repr as shortened

from elman._errors import InputError
from elman._limits import Size
from elman._schema import UNSAID
from elman.runtime._classifiers.convolutions import ConvolutionSizes
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
        convolutions: what adds to the network's scores.
    """

    classes: list[str | int | float | bool]
    channels: list[str]
    flagged: list[int]
    frame_size: Size
    network: ClassifierSizes
    columns: dict[str, str] = field(default_factory=dict)
    convolutions: ConvolutionSizes = field(default=ConvolutionSizes(), metadata=UNSAID)

    @property
    def step_size(self) -> int:
        """How many numbers the network reads of a step."""
        return len(self.channels) + len(self.flagged)

    @property
    def input_size(self) -> int:
        return self.frame_size * self.step_size

    def check(self, name: str) -> None:
        check_classes(self.classes, name)
        if not 0 < len(self.channels) == len(set(self.channels)):
            got = shortened(self.channels)
            raise InputError(f"{name}: expected one channel or more, all of different names, got {got}")
        if self.flagged != sorted(set(self.flagged) & set(range(len(self.channels)))):
            got = shortened(self.flagged)
            raise InputError(f"{name}: expected flagged to be numbers of channels, ascending, got {got}")

    def shapes(self, sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
        channels, classes = len(self.channels), len(self.classes)
        layers = self.network.layer_shapes(self.input_size, classes)
        convolutions = self.convolutions.shapes(self.step_size, classes)
        return {"mean": (channels,), "scale": (channels,)} | layers | convolutions
