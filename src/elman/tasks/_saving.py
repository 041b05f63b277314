"""A text classifier to a model folder and back."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from elman._errors import InputError, OptionError
from elman.runtime._config import FORMAT, VERSION, Config, Network, Text
from elman.runtime._model_folder import CONFIG, Model, claim_folder, read_model, write_model
from elman.runtime._text_classifier import TextClassifier as Trained
from elman.tasks._options import check_options

if TYPE_CHECKING:
    from elman.tasks.text_classifier import TextClassifier

__all__ = ["load", "save"]


def save(classifier: "TextClassifier", folder: Path, overwrite: bool) -> None:
    """Write a fitted classifier's model folder."""
    claim_folder(folder, overwrite=overwrite)
    options = classifier.get_params()
    config = Config(
        FORMAT,
        VERSION,
        classifier.classes_.tolist(),
        Text(cast("Any", classifier.tokens_), classifier.max_length, classifier.columns_),
        Network(classifier.embedding_size, classifier.hidden_size, classifier.layers, classifier.bidirectional),
        options,
        classifier.data_,
        classifier.made_with_,
    )
    model = Model(config, classifier.model_.tensors(), classifier.vocabulary_, classifier.metrics_, classifier.history_)
    write_model(folder, model)


def load(classifier: "TextClassifier", folder: Path) -> None:
    """Fill a new classifier from a model folder."""
    model = read_model(folder)
    config, network = model.config, model.config.network
    known = classifier.get_params().keys()
    classifier.set_params(**{name: value for name, value in config.options.items() if name in known})
    classifier.set_params(
        hidden_size=network.hidden_size,
        embedding_size=network.embedding_size,
        layers=network.layers,
        bidirectional=network.bidirectional,
        max_length=config.text.max_length,
        threads=None,
    )
    try:
        check_options(classifier.get_params())
    except OptionError as error:  # InputError: it is the file's option, not one of the command line
        raise InputError(f"{folder / CONFIG}: expected sound options, got {error}") from None
    classifier.classes_ = np.array(config.classes)
    classifier.tokens_, classifier.vocabulary_ = config.text.tokens, model.vocabulary
    classifier.columns_ = config.text.columns
    classifier.data_, classifier.metrics_, classifier.history_ = config.data, model.metrics, model.history
    classifier.made_with_ = config.made_with
    classifier.model_ = Trained.of(model)
