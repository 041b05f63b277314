"""Networks and models to files and back."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from elman._errors import InputError, about, one_line, option

if TYPE_CHECKING:
    from elman.runtime._network import Network

__all__ = ["load", "load_network", "save"]


@dataclass(frozen=True)
class _Version2:
    """What the file of a network says beside its tensors; ``cell`` is the engine's name for it."""

    format: Literal["elman rnn"]
    version: Literal["2"]
    cell: Literal["tanh", "relu", "gru", "lstm"]
    batch_first: Literal["false", "true"]


@dataclass(frozen=True)
class _Version3:
    """What it says where older programs would compute something else."""

    format: Literal["elman rnn"]
    version: Literal["3"]
    cell: Literal["tanh", "relu", "gru", "lstm"]
    batch_first: Literal["false", "true"]
    residual: Literal["false", "true"]


@dataclass(frozen=True)
class _Version4:
    """What it says where the cell is a program: :meth:`elman.cells.Program.to_data`, as JSON."""

    format: Literal["elman rnn"]
    version: Literal["4"]
    program: str
    batch_first: Literal["false", "true"]
    residual: Literal["false", "true"]

    cell = "program"


@dataclass(frozen=True)
class _Version1:
    """What it said when the Elman cell was the only one."""

    format: Literal["elman rnn"]
    version: Literal["1"]
    nonlinearity: Literal["tanh", "relu"]
    batch_first: Literal["false", "true"]

    @property
    def cell(self) -> str:
        return self.nonlinearity


def save(
    network: Any,
    path: str | PathLike[str],
    *,
    nonlinearity: str | None = None,
    batch_first: bool | None = None,
    residual: bool | None = None,
    overwrite: bool = False,
) -> None:
    """Write a recurrent network to a safetensors file that runs without PyTorch.

    Args:
        network: a ``torch.nn.RNN``, ``GRU`` or ``LSTM`` or a cell of these, or :mod:`elman.nn`'s, ``Recurrent`` too; a
            ``state_dict`` or a dict of arrays by PyTorch's names; or an :class:`elman.runtime.RNN`, ``GRU``, ``LSTM``
            or ``Recurrent``.
        path: the file.
        nonlinearity, batch_first, residual: what a dict of arrays does not say; None: tanh and False, or as the module
            has them. A GRU and an LSTM have no nonlinearity to choose.
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
    from elman.runtime._converting import as_network

    made = as_network(network, nonlinearity, batch_first, residual)
    if not getattr(made, "reset_after", True):
        raise InputError("network: expected a GRU whose reset gate comes after the product, got reset_after=False")
    metadata = {"format": "elman rnn", "batch_first": "true" if made.batch_first else "false"}
    if made.family.name == "recurrent":
        metadata |= {"version": "4", "program": _written(made), "residual": "true" if made.residual else "false"}
    elif made.residual:
        metadata |= {"version": "3", "cell": made.cell, "residual": "true"}
    else:
        metadata |= {"version": "2", "cell": made.cell}
    write_tensors(require_free(path, overwrite), made.parameters, metadata)


def _written(network: Any) -> str:
    try:
        return json.dumps(network.program.to_data(), allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except ValueError:
        raise InputError("program: expected finite numbers, got infinity or NaN, which a file cannot hold") from None


def load(path: str | PathLike[str]) -> Any:
    """Read what :func:`save` or ``elman train`` wrote.

    Args:
        path: a safetensors file, or a model folder.

    Returns:
        An :class:`elman.runtime.RNN`, ``GRU``, ``LSTM`` or ``Recurrent``, or what ``elman train`` made: an
        :class:`elman.runtime.TextClassifier`, ``SequenceClassifier``, ``SequenceTagger``, ``LanguageModel`` or
        ``Forecaster``.

    Raises:
        InputError: it is neither, or of an unknown version, or damaged. Nothing in a file is ever executed.

    Example:
        >>> import numpy as np, elman
        >>> elman.save({"weight_ih_l0": np.ones((9, 2)), "weight_hh_l0": np.ones((9, 3))}, "gru.safetensors")
        >>> gru = elman.load("gru.safetensors")
        >>> gru
        GRU(2, 3, bias=False, float64)
        >>> output, h_n = gru(np.ones((5, 2)))
        >>> output.shape, h_n.shape
        ((5, 3), (1, 3))
    """
    if not os.path.isdir(path):
        if not os.path.exists(path):
            raise InputError(f"{one_line(path)}: expected a file or a model folder, got nothing of that name")
        return load_network(path)
    from elman.runtime._model_folder import read_model

    model = read_model(Path(path), figures=False)
    return model.kind(model.settings, model.tensors, model.vocabularies)


def load_network(path: str | PathLike[str], kind: type[Network] | None = None, **options: Any) -> Any:
    """Read a network from a safetensors file.

    Args:
        path: the file.
        kind: the class that is wanted; None: whichever it is.
        options: its keyword arguments, for a file that does not say; None: not given.

    Raises:
        InputError: it is no such file, or damaged, or holds no network of this kind.
    """
    from elman._safetensors import TensorFile
    from elman._schema import build
    from elman.runtime._parameters import family_of, layer_name, read_sizes
    from elman.runtime._rnn import NETWORKS, RNN, class_of

    file = TensorFile(Path(path))
    shapes = {layer_name(name): spec.shape for name, spec in file.specs.items()}
    if "format" in file.metadata:  # what it says holds; another program's file says nothing
        versions = {"1": _Version1, "2": _Version2, "4": _Version4}
        schema = versions.get(file.metadata.get("version", ""), _Version3)
        said: Any = build(file.metadata, schema, str(path), "__metadata__")
        found = _own_class() if said.cell == "program" else class_of(said.cell)
        if kind and kind.family is not found.family:
            got = f"{found.family.named}, which elman.runtime.{found.family.title}.load reads"
            raise InputError(f"{path}: expected {kind.family.named}, got {got}")
        own = {"nonlinearity": said.cell, "batch_first": said.batch_first == "true"}
        own["residual"] = getattr(said, "residual", "false") == "true"
        for name, value in options.items():
            if value not in (None, own[name]):
                raise InputError(f"{path}: expected {name} to be None or the file's, {own[name]!r}, got {value!r}")
        if said.cell == "program":
            with about(path):
                own["program"] = _program(said.program, str(path))
        options = {name: own[name] for name in (*found.options, "residual")}
    else:
        family = family_of(shapes)
        found = NETWORKS[family.name] if family else RNN
        wanted = kind or found
        if any(options.get(name) is None for name in wanted.options):
            advised = wanted if wanted.family.name in NETWORKS else found
            raise InputError(
                f"{path}: expected a file that elman.save wrote, which says what the network is; for another program's "
                f"call elman.runtime.{advised.family.title}.load with {' and '.join(advised.options)}"
            )
        options["residual"] = options.get("residual") or False
    kind = kind or found
    try:
        read_sizes(shapes, kind.family_of(**options))
        return kind(file.load(), **options)
    except InputError as error:
        place = "" if str(error).startswith(f"{path}: ") else f"{path}: "
        raise InputError(f"{place}{error}") from None


def _own_class() -> Any:
    from elman.runtime._own import Recurrent  # here, for few files hold a program

    return Recurrent


def _program(text: str, name: str) -> Any:
    from elman._schema import parse_json
    from elman.cells._program import Program

    return Program.from_data(parse_json(text.encode(), name))


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
