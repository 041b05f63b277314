"""Models trained on a person's own data, with scikit-learn's manners."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from elman._errors import InputError
from elman._extras import import_fault

if TYPE_CHECKING:
    from elman.tasks.forecaster import Forecaster
    from elman.tasks.language_model import LanguageModel
    from elman.tasks.sequence_classifier import SequenceClassifier
    from elman.tasks.sequence_tagger import SequenceTagger
    from elman.tasks.text_classifier import TextClassifier

__all__ = ["Forecaster", "InputError", "LanguageModel", "SequenceClassifier", "SequenceTagger", "TextClassifier"]

# Imported when first asked for: they bring scikit-learn, which reading a file does without.
_LATER = {
    "Forecaster": "forecaster",
    "LanguageModel": "language_model",
    "SequenceClassifier": "sequence_classifier",
    "SequenceTagger": "sequence_tagger",
    "TextClassifier": "text_classifier",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        try:
            module = import_module(f"{__name__}.{_LATER[name]}")
        except AttributeError as error:  # of a package that does not suit another: not that the name is absent
            raise ImportError(import_fault(error) or str(error)) from error
        return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
