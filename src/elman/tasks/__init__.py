"""Models trained on a person's own data, with scikit-learn's manners."""

from elman.tasks._errors import InputError
from elman.tasks.text_classifier import TextClassifier

__all__ = ["InputError", "TextClassifier"]
