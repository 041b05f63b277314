"""A text classifier to a model folder and back."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from elman._errors import InputError
from elman.runtime._model_folder import (
    FORMAT,
    VERSION,
    Config,
    Model,
    Network,
    Text,
    claim_folder,
    read_model,
    write_model,
)
from elman.tasks._classifying import build_network

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
        Text(classifier.tokens_, classifier.max_length, classifier.columns_),
        Network(classifier.embedding_size, classifier.hidden_size, classifier.layers, classifier.bidirectional),
        options,
        classifier.data_,
        classifier.made_with_,
    )
    tensors = {name: value.contiguous() for name, value in classifier.network_.state_dict().items()}
    model = Model(config, save_tensors(tensors), classifier.vocabulary_, classifier.metrics_, classifier.history_)
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
    classifier.classes_ = np.array(config.classes)
    classifier.tokens_, classifier.vocabulary_ = config.text.tokens, model.vocabulary
    classifier.columns_ = config.text.columns
    classifier.data_, classifier.metrics_, classifier.history_ = config.data, model.metrics, model.history
    classifier.made_with_ = config.made_with
    try:
        tensors = load_tensors(model.tensors)
        _check_sizes(config, len(model.vocabulary), tensors)
        classifier.network_ = build_network(classifier)
        classifier.network_.load_state_dict(tensors)
    except (SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{folder / 'model.safetensors'}: expected the parameters of its network, got: {reason}"
        ) from None
    classifier.network_.eval()


def _check_sizes(config: Config, tokens: int, tensors: dict[str, Tensor]) -> None:
    """Compare the sizes claimed with the tensors there, before memory is taken for a network so large."""
    network = config.network
    claimed = {
        "embedding.weight": (tokens, network.embedding_size),
        "rnn.weight_hh_l0": (network.hidden_size, network.hidden_size),
        f"rnn.bias_hh_l{network.layers - 1}": (network.hidden_size,),
        "output.bias": (len(config.classes),),
    }
    for name, shape in claimed.items():
        got = tuple(tensors[name].shape) if name in tensors else "none"
        if got != shape:
            raise RuntimeError(f"{name}: expected the shape {shape}, got {got}")
