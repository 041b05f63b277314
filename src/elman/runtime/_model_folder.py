r"""The model folder, which holds all that a prediction needs and can be read without torch.

``config.json``: the kind of model, version, the network's sizes and how what it reads becomes numbers; for people
also the options, the data and the versions it was made with. ``model.safetensors``: the parameters, float32, under
the names that the model's class documents. ``vocabulary.txt``, or what else a kind calls its vocabularies: one token
a line, its number is the line's, from 0; ``\u{20}`` is a space, ``\\`` a backslash. ``metrics.json``: scores on the
validation part. ``history.csv``: the figures of each epoch.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from reprlib import repr as shortened
from typing import Any

from elman._errors import InputError, option
from elman._files import current_file, make_folder, read_file, replace_files
from elman._safetensors import TensorFile, tensor_bytes
from elman._schema import decode
from elman.runtime._arrays import Array
from elman.runtime._config import Origin, config_values, read_config, read_kind
from elman.runtime._history import EpochRecord, history_lines, read_history
from elman.runtime._trained import TrainedModel
from elman.runtime._vocabulary import Vocabulary

__all__ = ["EpochRecord", "Model", "claim_folder", "read_model", "write_model"]

CONFIG, MODEL, METRICS, HISTORY = "config.json", "model.safetensors", "metrics.json", "history.csv"
LARGEST_TEXT, LARGEST_VOCABULARY = 2**24, 2**28  # bytes


@dataclass(frozen=True)
class Model:
    """The contents of a model folder; ``tensors`` are C-contiguous."""

    kind: type[TrainedModel]
    settings: Any
    tensors: dict[str, Array]
    vocabularies: dict[str, Vocabulary]
    origin: Origin
    metrics: dict[str, Any]
    history: list[EpochRecord]


def claim_folder(folder: Path, kind: type[TrainedModel], *, overwrite: bool, resume: bool = False) -> None:
    """See that a model can be written to a folder without loss, and make the folder.

    A run is resumed only where a checkpoint has been kept; elsewhere it begins, if any run may begin there.

    Raises:
        InputError: it holds a model or a checkpoint and may not be overwritten, or a model of another kind, or
            anything else.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: expected a folder for the model, there is a file of that name")
    checkpoint = (folder / "checkpoint" / "checkpoint.json").is_file()
    finished = current_file(folder, CONFIG).is_file() and current_file(folder, MODEL).is_file()
    others = folder.exists() and not all(map(_was_left, folder.iterdir()))
    if (resume and checkpoint) or not (others or finished):
        pass
    elif not (finished or checkpoint):
        raise InputError(f"{folder}: expected a new or empty folder, got one with other files; choose another name")
    elif checkpoint and not overwrite:
        go_on, begin = option("resume", True), option("overwrite", True)
        raise InputError(f"{folder}: holds an unfinished run; go on with {go_on} or start again with {begin}")
    elif not overwrite:
        raise InputError(f"{folder}: holds a model already; choose another name or add {option('overwrite', True)}")
    elif finished:
        read_kind(*_find_config(folder), kind)  # another program's folder may have files of these names too
    make_folder(folder)


def _was_left(path: Path) -> bool:
    """Whether it is what a process that was killed left of its writing, before it had kept anything."""
    if path.name == "checkpoint" and path.is_dir():
        return all(name.startswith((".", "epoch-")) for name in os.listdir(path))
    return path.name.startswith(".elman-")


def write_model(folder: Path, model: Model) -> None:
    """Write a model folder. Whatever happens meanwhile, it holds the model before or this one, whole.

    Raises:
        InputError: the folder cannot be written.
    """
    contents = {
        MODEL: tensor_bytes(model.tensors),
        **{f"{name}.txt": vocabulary.lines().encode() for name, vocabulary in model.vocabularies.items()},
        METRICS: _json(model.metrics),
        HISTORY: history_lines(model.history).encode(),
        CONFIG: _json(config_values(model.kind, model.settings, model.origin)),
    }
    replace_files(folder, contents)


def read_model(folder: Path, kind: type[TrainedModel] | None = None, *, figures: bool = True) -> Model:
    """Read a model folder.

    Args:
        folder: the folder.
        kind: the kind of model expected; None: any.
        figures: whether to read ``metrics.json`` and ``history.csv`` as well, which no prediction needs.

    Raises:
        InputError: there is none, or it is of another kind or version, or damaged.
    """
    found = _find_config(folder)
    kind, settings, origin = read_config(*found, kind)
    vocabularies, tensors = _read_tensors(folder, kind, settings)
    metrics: dict[str, Any] = {}
    history: list[EpochRecord] = []
    if figures:
        metrics = decode(_read(folder, METRICS), dict[str, Any], str(current_file(folder, METRICS)))
        history = read_history(_read(folder, HISTORY), str(current_file(folder, HISTORY)))
    if _find_config(folder) != found:
        raise InputError(f"{folder}: expected a model that stays as it is, got another while it was read")
    return Model(kind, settings, tensors, vocabularies, origin, metrics, history)


def _find_config(folder: Path) -> tuple[bytes, str]:
    if not os.path.isdir(folder):
        what = "a file" if os.path.exists(folder) else "nothing of that name"
        raise InputError(f"{folder}: expected a model folder, got {what}")
    path = current_file(folder, CONFIG)
    if not os.path.lexists(path):
        unfinished = os.path.isdir(folder / "checkpoint")
        finishing = option("resume", True)
        got = f"an unfinished run (finish it with {finishing})" if unfinished else f"a folder without {CONFIG}"
        raise InputError(f"{folder}: expected a model folder, got {got}")
    return _read(folder, CONFIG), str(path)


def _read_tensors(
    folder: Path, kind: type[TrainedModel], settings: Any
) -> tuple[dict[str, Vocabulary], dict[str, Array]]:
    """Read the vocabularies and the parameters once their sizes are known to be those of the configuration."""
    path = current_file(folder, MODEL)
    files = {name: str(current_file(folder, f"{name}.txt")) for name in kind.vocabulary_names}
    lines = {name: _read_lines(folder, name) for name in files}
    file = TensorFile(path, folder)
    expected = settings.shapes({name: text.count("\n") for name, text in lines.items()})
    for name in (*expected, *file.specs):
        if name not in file.specs:
            raise InputError(f"{path}: expected a tensor {name}, got none of that name")
        if name not in expected:
            raise InputError(f"{path}: expected only the tensors of its network, got {shortened(name)}")
    sources = " and ".join([CONFIG, *(f"{name}.txt" for name in files)])
    for name, shape in expected.items():
        spec, dtype = file.specs[name], "F64" if kind.dtype_of(name) == "float64" else "F32"
        if (spec.dtype, spec.shape) != (dtype, shape):
            raise InputError(
                f"{path}: expected {name} of {dtype} and the shape {shape} (by {sources}), "
                f"got {spec.dtype} and {shortened(spec.shape)}"
            )
    vocabularies = {name: Vocabulary.from_lines(text, files[name]) for name, text in lines.items()}
    return vocabularies, file.load()


def _read_lines(folder: Path, vocabulary: str) -> str:
    name = f"{vocabulary}.txt"
    try:
        return _read(folder, name, LARGEST_VOCABULARY).decode()
    except UnicodeDecodeError:
        raise InputError(f"{current_file(folder, name)}: expected UTF-8 text, got other bytes") from None


def _read(folder: Path, name: str, limit: int = LARGEST_TEXT) -> bytes:
    return read_file(current_file(folder, name), folder, limit)


def _json(value: dict[str, Any]) -> bytes:
    finite = json.loads(json.dumps(value), parse_constant=lambda _: None)  # JSON has no NaN
    return json.dumps(finite, ensure_ascii=False, indent=2).encode() + b"\n"
