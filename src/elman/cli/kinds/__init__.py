"""What the commands do for each kind of model: a module a kind, named as the format is.

Each has ``OPTIONS``, which of the options that not all kinds know it takes, and five functions: ``evaluate(model,
options)`` returns the object that ``--json`` prints, ``show(report)`` shows it to a person, ``predict(model, options)``
prints predictions, ``describe(model)`` says what the model is, ``trace(model, options)`` steps through an example.
"""

from argparse import Namespace
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from elman.runtime._trained import TrainedModel

__all__ = ["NOTATION", "check_options", "load_model", "module_of"]

NOTATION = ("dates", "decimal")
NOT_OF_ALL = ("text", "label", "horizon", *NOTATION)


def module_of(kind: "type[TrainedModel]") -> ModuleType:
    """Return the module that serves a kind of model."""
    return import_module(f"{__name__}.{kind.format.removeprefix('elman ').replace(' ', '_')}")


def load_model(folder: Path) -> "tuple[TrainedModel, ModuleType]":
    """Return the model of a folder, and the module that serves its kind.

    Raises:
        InputError: it is no model folder, or of an unknown kind or version, or damaged.
    """
    from elman.runtime._model_folder import read_model

    model = read_model(folder, figures=False)
    return model.kind(model.settings, model.tensors, model.vocabularies), module_of(model.kind)


def check_options(module: ModuleType, options: Namespace, names: Sequence[str] = NOT_OF_ALL) -> None:
    """Refuse options, of those named, that say nothing to a kind of model.

    Raises:
        OptionError: one is given.
    """
    from elman._errors import OptionError

    for name in names:
        value = getattr(options, name, None)
        if value is not None and name not in module.OPTIONS:
            raise OptionError(name, f"none for a {module.__name__.rpartition('.')[2].replace('_', ' ')}", value)
