"""Models trained on a person's own data, with scikit-learn's manners."""

from typing import TYPE_CHECKING, Any

from elman._errors import InputError

if TYPE_CHECKING:
    from elman.tasks.text_classifier import TextClassifier

__all__ = ["InputError", "TextClassifier"]


def __getattr__(name: str) -> Any:
    if name == "TextClassifier":  # brings scikit-learn, which reading a file does without
        from elman.tasks.text_classifier import TextClassifier

        return TextClassifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
