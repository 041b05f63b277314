"""The sizes of recurrent layers, as the settings of all kinds of models have them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from elman._cells import FAMILIES, Family
from elman._limits import CellName, Count, HiddenSize
from elman._schema import UNSAID
from elman.runtime._arrays import Array
from elman.runtime._network import Network
from elman.runtime._parameters import Sizes
from elman.runtime._rnn import NETWORKS

__all__ = ["RecurrentSizes", "Shapes"]

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True, kw_only=True)
class RecurrentSizes:
    """The recurrent layers of a model; what else its network has sizes of, a subclass adds.

    Args:
        hidden_size: units of each layer and direction.
        layers: how many.
        bidirectional: whether each reads in both directions.
        cell: the name of what they are made of.
    """

    FORMER: ClassVar[Mapping[str, Any]] = {"nonlinearity": Literal["tanh"]}

    hidden_size: HiddenSize
    layers: Count
    bidirectional: bool
    cell: CellName = field(default="rnn", metadata=UNSAID)

    @property
    def family(self) -> Family:
        """What there is to know of their cell."""
        return FAMILIES[self.cell]

    @property
    def features(self) -> int:
        """How many the last layer puts out at each step."""
        return (2 if self.bidirectional else 1) * self.hidden_size

    def shapes(self, input_size: int, prefix: str = "rnn.") -> Shapes:
        """Return the shape of every parameter by its name."""
        sizes = Sizes(input_size, (self.hidden_size,) * self.layers, self.bidirectional, True, self.family)
        return {f"{prefix}{name}": shape for name, shape in sizes.shapes().items()}

    def build(self, parameters: Mapping[str, Array]) -> Network:
        """Return the layers with their parameters, by their names without a prefix."""
        network: Network = NETWORKS[self.cell](parameters)
        return network

    def describe(self) -> str:
        """Say in a few words what they are."""
        directions = "two directions" if self.bidirectional else "one direction"
        return f"{self.layers} x {self.hidden_size} {self.family.title} units in {directions}"
