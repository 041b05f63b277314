"""What settings say of a network: its recurrent layers and its linear ones, as all kinds of models have them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from elman._limits import Count, HiddenSize
from elman.runtime._arrays import Array
from elman.runtime._parameters import Sizes
from elman.runtime._rnn import RNN

__all__ = ["Recurrent", "linear_shapes"]

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True, kw_only=True)
class Recurrent:
    """The recurrent layers of a model; what else its network has sizes of, a subclass adds.

    Args:
        hidden_size: units of each layer and direction.
        layers: how many.
        bidirectional: whether each reads in both directions.
        nonlinearity: of the units.
    """

    hidden_size: HiddenSize
    layers: Count
    bidirectional: bool
    nonlinearity: Literal["tanh"] = "tanh"

    @property
    def features(self) -> int:
        """How many the last layer puts out at each step."""
        return (2 if self.bidirectional else 1) * self.hidden_size

    def shapes(self, input_size: int, prefix: str = "rnn.") -> Shapes:
        """Return the shape of every parameter by its name."""
        sizes = Sizes(input_size, self.hidden_size, self.layers, self.bidirectional, bias=True)
        return {f"{prefix}{name}": shape for name, shape in sizes.shapes().items()}

    def build(self, parameters: Mapping[str, Array]) -> RNN:
        """Return the layers with their parameters, by their names without a prefix."""
        return RNN(parameters, self.nonlinearity)

    def describe(self) -> str:
        """Say in a few words what they are."""
        directions = "two directions" if self.bidirectional else "one direction"
        return f"{self.layers} x {self.hidden_size} units in {directions}"


def linear_shapes(name: str, inputs: int, outputs: int) -> Shapes:
    """Return the shapes of the weight and the bias of a linear layer."""
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}
