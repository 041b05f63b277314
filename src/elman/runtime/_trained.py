"""What all models that ``elman train`` makes share, without PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from elman._errors import InputError
from elman._figures import ENOUGH, few
from elman.runtime._arrays import Array
from elman.runtime._vocabulary import Vocabulary

__all__ = ["Settings", "TrainedModel"]

Self = TypeVar("Self", bound="TrainedModel")


class Settings(Protocol):
    """All that a prediction needs beside tensors and vocabularies: a frozen dataclass, kept in ``config.json``."""

    def check(self, name: str) -> None:
        """See that the values go together, whatever a file of that name said.

        Raises:
            InputError: they do not.
        """

    def shapes(self, sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
        """Return the shape of every tensor by its name, given how many tokens each vocabulary has."""


class TrainedModel:
    """A trained model on NumPy and the engine alone. Immutable: threads may share one.

    Args:
        settings: the network's sizes, and how what it reads becomes numbers.
        tensors: the parameters by name.
        vocabularies: the tokens known, by the names that the class lists.

    Attributes:
        settings, vocabularies: as given.

    Raises:
        InputError: a tensor is missing, or of another dtype or shape than the settings say.
    """

    format: ClassVar[str]  # the first line of config.json
    example: ClassVar[str]  # what its scores are means over
    enough: ClassVar[int] = ENOUGH  # of them, for a score to be believed
    Settings: ClassVar[type[Any]]
    vocabulary_names: ClassVar[tuple[str, ...]] = ()  # each a file of the folder, NAME.txt
    double_tensors: ClassVar[tuple[str, ...]] = ()  # of float64; the others are of float32

    def __init__(
        self, settings: Any, tensors: Mapping[str, Array], vocabularies: Mapping[str, Vocabulary] | None = None
    ) -> None:
        self.settings, self.vocabularies = settings, dict(vocabularies or {})
        shapes = settings.shapes({name: len(vocabulary) for name, vocabulary in self.vocabularies.items()})
        self._tensors: dict[str, Array] = {}
        for name, shape in shapes.items():
            if name not in tensors:
                raise InputError(f"{name}: expected a tensor, got none of that name")
            array, dtype = tensors[name], self.dtype_of(name)
            if array.dtype != dtype:
                raise InputError(f"{name}: expected {dtype}, got {array.dtype}")
            if array.shape != shape:
                raise InputError(f"{name}: expected the shape {shape}, got {array.shape}")
            self._tensors[name] = array.copy(order="C")  # tensors of a network in training go on to change

    @classmethod
    def load(cls: type[Self], folder: str | PathLike[str]) -> Self:
        """Read a model folder.

        Raises:
            InputError: it is no folder of such a model, or of an unknown version, or damaged. Nothing in it is ever
                executed.
        """
        from elman.runtime._model_folder import read_model

        model = read_model(Path(folder), cls, figures=False)
        return cls(model.settings, model.tensors, model.vocabularies)

    @classmethod
    def dtype_of(cls, name: str) -> str:
        """Return the dtype of a tensor."""
        return "float64" if name in cls.double_tensors else "float32"

    @classmethod
    def few(cls, count: int) -> str:
        """Return words for beside a figure that rests on so few examples that it is rough, else none."""
        return few(count, cls.example, cls.enough)

    def with_columns(self: Self, columns: Mapping[str, Any]) -> Self:
        """Return the same model, which also knows what the columns of the training file were called."""
        return type(self)(replace(self.settings, columns=dict(columns)), self._tensors, self.vocabularies)

    def tensors(self) -> dict[str, Array]:
        """Return the parameters by name."""
        return dict(self._tensors)

    def tensors_under(self, prefix: str) -> dict[str, Array]:
        """Return the parameters of a part of the network, by their names within it."""
        return {name.removeprefix(prefix): array for name, array in self._tensors.items() if name.startswith(prefix)}

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.settings, self._tensors, self.vocabularies)
