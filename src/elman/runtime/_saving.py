"""Networks and models to files and back."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from elman._errors import InputError, one_line, option

if TYPE_CHECKING:
    from elman.runtime._rnn import RNN
    from elman.runtime._trained import TrainedModel

__all__ = ["load", "load_rnn", "save"]


@dataclass(frozen=True)
class _Metadata:
    """What the file of a network says beside its tensors."""

    format: Literal["elman rnn"]
    version: Literal["1"]
    nonlinearity: Literal["tanh", "relu"]
    batch_first: Literal["false", "true"]


def save(
    network: Any,
    path: str | PathLike[str],
    *,
    nonlinearity: str | None = None,
    batch_first: bool | None = None,
    overwrite: bool = False,
) -> None:
    """Write a recurrent network to a safetensors file that runs without PyTorch.

    Args:
        network: a ``torch.nn.RNN`` or ``RNNCell``, or :mod:`elman.nn`'s; a ``state_dict`` or a dict of arrays by
            PyTorch's names; or an :class:`elman.runtime.RNN`.
        path: the file.
        nonlinearity, batch_first: what a dict of arrays does not say; None: tanh and False, or as the module has them.
        overwrite: whether a file that is there may be replaced.

    Raises:
        InputError: it is no such network, or the file cannot be written, or is there and not ``overwrite``.

    Example:
        >>> import numpy as np, elman
        >>> rnn = elman.runtime.RNN({"weight_ih_l0": np.ones((3, 2)), "weight_hh_l0": np.ones((3, 3))})
        >>> elman.save(rnn, "rnn.safetensors")
        >>> elman.load("rnn.safetensors")
        RNN(2, 3, bias=False, float64)
    """
    from elman._safetensors import write_tensors
    from elman.runtime._converting import as_rnn

    rnn = as_rnn(network, nonlinearity, batch_first)
    kind: Literal["tanh", "relu"] = "relu" if rnn.nonlinearity == "relu" else "tanh"
    metadata = _Metadata("elman rnn", "1", kind, "true" if rnn.batch_first else "false")
    write_tensors(require_free(path, overwrite), rnn.parameters, asdict(metadata))


def load(path: str | PathLike[str]) -> RNN | TrainedModel:
    """Read what :func:`save` or ``elman train`` wrote.

    Args:
        path: a safetensors file, or a model folder.

    Returns:
        An :class:`elman.runtime.RNN`, or what ``elman train`` made: an :class:`elman.runtime.TextClassifier`,
        ``SequenceClassifier``, ``SequenceTagger``, ``LanguageModel`` or ``Forecaster``.

    Raises:
        InputError: it is neither, or of an unknown version, or damaged. Nothing in a file is ever executed.
    """
    if not os.path.isdir(path):
        if not os.path.exists(path):
            raise InputError(f"{one_line(path)}: expected a file or a model folder, got nothing of that name")
        return load_rnn(path, None, None)
    from elman.runtime._model_folder import read_model

    model = read_model(Path(path), figures=False)
    return model.kind(model.settings, model.tensors, model.vocabularies)


def load_rnn(path: str | PathLike[str], nonlinearity: str | None, batch_first: bool | None) -> RNN:
    """Read a network from a safetensors file: see :meth:`elman.runtime.RNN.load`."""
    from elman._safetensors import TensorFile
    from elman._schema import build
    from elman.runtime._parameters import layer_name, read_sizes
    from elman.runtime._rnn import RNN

    file = TensorFile(Path(path))
    options: dict[str, Any] = {"nonlinearity": nonlinearity, "batch_first": batch_first}
    if "format" in file.metadata:  # what it says holds; another program's file says nothing
        said = build(file.metadata, _Metadata, str(path), "__metadata__")
        own: dict[str, Any] = {"nonlinearity": said.nonlinearity, "batch_first": said.batch_first == "true"}
        for name, value in own.items():
            if options[name] not in (None, value):
                raise InputError(f"{path}: expected {name} to be None or the file's, {value!r}, got {options[name]!r}")
        options = own
    elif None in options.values():
        raise InputError(
            f"{path}: expected a file that elman.save wrote, which says whether the network is tanh or relu; for "
            "another program's call elman.runtime.RNN.load with nonlinearity and batch_first"
        )
    shapes = {layer_name(name): spec.shape for name, spec in file.specs.items()}
    try:
        read_sizes(shapes)
        tensors = file.load()
        return RNN(tensors, **options)
    except InputError as error:
        place = "" if str(error).startswith(f"{path}: ") else f"{path}: "
        raise InputError(f"{place}{error}") from None


def require_free(path: str | PathLike[str], overwrite: bool) -> Path:
    """Return ``path`` if a file may be written there.

    Raises:
        InputError: there is one and not ``overwrite``, or there is a folder.
    """
    place = Path(os.fspath(path))
    if place.is_dir():
        raise InputError(f"{place}: expected the name of a file, there is a folder of that name")
    if not overwrite and os.path.lexists(place):
        replacing = option("overwrite", True)
        raise InputError(f"{place}: expected a new file, there is one already; choose another name or add {replacing}")
    return place
