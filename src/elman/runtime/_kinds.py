"""The kinds of models that ``elman train`` makes, by the format that their ``config.json`` names."""

from importlib import import_module
from reprlib import repr as shortened
from typing import Any

from elman._errors import InputError, listed
from elman.runtime._trained import TrainedModel

__all__ = ["KINDS", "kind_named"]

# The module of each and its class; imported when a folder holds one.
KINDS = {
    "elman text classifier": ("_classifiers.text", "TextClassifier"),
    "elman sequence classifier": ("_classifiers.sequences", "SequenceClassifier"),
    "elman sequence tagger": ("_tagger.tagger", "SequenceTagger"),
    "elman language model": ("_language.model", "LanguageModel"),
    "elman forecaster": ("_forecaster.forecaster", "Forecaster"),
}


def kind_named(named: Any, file: str) -> type[TrainedModel]:
    """Return the class of the models of a format.

    Raises:
        InputError: there is no such format; the message names the file that said so.
    """
    if not isinstance(named, str) or named not in KINDS:
        raise InputError(f"{file}: expected one of the formats {listed(map(repr, KINDS))}, got {shortened(named)}")
    module, name = KINDS[named]
    kind: type[TrainedModel] = getattr(import_module(f"elman.runtime.{module}"), name)
    return kind
