"""What all classifiers' settings share."""

from dataclasses import dataclass
from reprlib import repr as shortened
from typing import Any, Literal

import numpy as np

from elman._errors import InputError
from elman.runtime._linear import linear_shapes
from elman.runtime._recurrent_sizes import RecurrentSizes, Shapes

__all__ = ["ClassifierSizes", "check_classes"]


@dataclass(frozen=True, kw_only=True)
class ClassifierSizes(RecurrentSizes):
    """The sizes of a network that scores what its units do over a sequence."""

    pooling: Literal["max mean final"] = "max mean final"

    def layer_shapes(self, input_size: int, classes: int) -> Shapes:
        """Return the shapes of the recurrent layers and the output layer."""
        return self.shapes(input_size) | linear_shapes("output", 3 * self.features, classes)


def check_classes(classes: list[Any], name: str) -> None:
    """See that labels are two or more, all different, of one type, and that an array holds them.

    Raises:
        InputError: they are not; ``name`` is the file's that said so.
    """
    types = {type(label) for label in classes}
    if len(types) != 1 or not 2 <= len(set(classes)) == len(classes) or not _fit_array(classes):
        got = shortened(classes)
        raise InputError(f"{name}: expected two classes or more, all different and of one type, got {got}")


def _fit_array(classes: list[Any]) -> bool:
    """Whether an array holds them: it drops NULs at a string's end, and makes floats of integers too far apart."""
    held = np.array(classes).tolist()
    return list(map(repr, held)) == list(map(repr, classes))
