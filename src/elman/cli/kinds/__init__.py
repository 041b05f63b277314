"""What the commands do for each kind of model: a module a kind, of the same name as in ``elman.runtime``.

Each has four functions: ``evaluate(model, options)`` returns the object that ``--json`` prints, ``show(report)`` shows
it to a person, ``predict(model, options)`` prints predictions, ``describe(model)`` says what the model is.
"""

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from elman.runtime._trained import TrainedModel

__all__ = ["load_model", "module_of"]


def module_of(kind: "type[TrainedModel]") -> ModuleType:
    """Return the module that serves a kind of model."""
    from elman.runtime._kinds import KINDS

    return import_module(f"{__name__}.{KINDS[kind.format][0]}")


def load_model(folder: Path) -> "tuple[TrainedModel, ModuleType]":
    """Return the model of a folder, and the module that serves its kind.

    Raises:
        InputError: it is no model folder, or of an unknown kind or version, or damaged.
    """
    from elman.runtime._model_folder import read_model

    model = read_model(folder, figures=False)
    return model.kind(model.settings, model.tensors, model.vocabularies), module_of(model.kind)
