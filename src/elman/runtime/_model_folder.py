r"""The model folder, which holds all that a prediction needs and can be read without torch.

``config.json``: version, classes, how texts become tokens, the network's sizes; for people also the options,
the data and the versions it was made with. ``model.safetensors``: the parameters, float32, under the names
that :class:`elman.tasks._network.TextNetwork` documents. ``vocabulary.txt``: one token a line, its number is
the line's, from 0; ``\u{20}`` is a space, ``\\`` a backslash. ``metrics.json``: scores on the validation
part. ``history.csv``: the figures of each epoch.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec

from elman._errors import InputError
from elman._files import make_folder, write_files
from elman.runtime._vocabulary import Vocabulary

__all__ = ["Config", "EpochRecord", "Model", "Network", "Text", "claim_folder", "read_model", "write_model"]

FORMAT = "elman text classifier"
POOLING = "max mean final"
VERSION = 1
CONFIG, MODEL, VOCABULARY, METRICS, HISTORY = FILES = (
    "config.json", "model.safetensors", "vocabulary.txt", "metrics.json", "history.csv",
)  # fmt: skip

Size = Annotated[int, msgspec.Meta(ge=1, le=2**31)]


class Network(msgspec.Struct):
    """The sizes of a network; pooling and nonlinearity have one value yet."""

    embedding_size: Size
    hidden_size: Size
    layers: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    bidirectional: bool
    nonlinearity: str = "tanh"
    pooling: str = POOLING


class Text(msgspec.Struct):
    """How a text becomes tokens."""

    tokens: str
    max_length: Size
    columns: dict[str, str]


class Config(msgspec.Struct):
    """What ``config.json`` holds."""

    format: str
    version: int
    classes: list[str | int | float | bool]
    text: Text
    network: Network
    options: dict[str, Any]
    data: dict[str, Any]
    made_with: dict[str, str]


class EpochRecord(msgspec.Struct, frozen=True):
    """One epoch's figures."""

    epoch: int
    loss: float
    scores: dict[str, float]
    seconds: float


class Model(msgspec.Struct):
    """The contents of a model folder; ``tensors`` are the bytes of the safetensors file."""

    config: Config
    tensors: bytes
    vocabulary: Vocabulary
    metrics: dict[str, Any]
    history: list[EpochRecord]


class _Head(msgspec.Struct):
    format: str
    version: int


def claim_folder(folder: Path, *, overwrite: bool, resume: bool = False) -> None:
    """See that a model can be written to a folder without loss, and make the folder.

    Raises:
        InputError: it holds a model or a checkpoint and may not be overwritten, or anything else.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: expected a folder for the model, there is a file of that name")
    checkpoint = (folder / "checkpoint" / "checkpoint.json").is_file()
    finished = (folder / CONFIG).is_file() and (folder / MODEL).is_file()
    if resume and not checkpoint:
        raise InputError(f"{folder}: --resume expects a checkpoint, there is none; leave --resume out")
    if resume or not folder.exists() or not any(folder.iterdir()):
        pass
    elif not (finished or checkpoint):
        raise InputError(f"{folder}: expected a new or empty folder, got one with other files; choose another --out")
    elif checkpoint and not overwrite:
        raise InputError(f"{folder}: holds an unfinished run; go on with --resume or start again with --overwrite")
    elif not overwrite:
        raise InputError(f"{folder}: holds a model already; choose another --out or add --overwrite")
    elif finished:
        _head(folder)  # another program's folder may have files of these names too
    make_folder(folder)


def write_model(folder: Path, model: Model) -> None:
    """Write a model folder; every file is complete on the disk before the first takes its place.

    Raises:
        InputError: the folder cannot be written.
    """
    contents = {
        MODEL: model.tensors,
        VOCABULARY: model.vocabulary.lines().encode(),
        METRICS: _json(model.metrics),
        HISTORY: _history_lines(model.history).encode(),
        CONFIG: _json(model.config),
    }
    write_files(folder, contents)


def read_model(folder: Path) -> Model:
    """Read a model folder.

    Raises:
        InputError: there is none, or it is of another version, or damaged.
    """
    _head(folder)
    config = _decode(folder / CONFIG, Config)
    if config.text.tokens not in ("char", "word") or config.network.pooling != POOLING:
        raise InputError(f"{folder / CONFIG}: expected tokens 'char' or 'word' and pooling {POOLING!r}, got others")
    if len(config.classes) < 2 or config.network.nonlinearity != "tanh":
        raise InputError(f"{folder / CONFIG}: expected two classes or more and nonlinearity 'tanh', got others")
    try:
        lines = _read(folder / VOCABULARY).decode()
    except UnicodeDecodeError:
        raise InputError(f"{folder / VOCABULARY}: expected utf-8 text, got other bytes") from None
    return Model(
        config,
        _read(folder / MODEL),
        Vocabulary.from_lines(lines, str(folder / VOCABULARY)),
        _decode(folder / METRICS, dict[str, Any]),
        _read_history(folder / HISTORY),
    )


def _head(folder: Path) -> None:
    if not folder.is_dir():
        what = "a file" if folder.exists() else "nothing of that name"
        raise InputError(f"{folder}: expected a model folder, got {what}")
    if not (folder / CONFIG).is_file():
        unfinished = (folder / "checkpoint").is_dir()
        got = "an unfinished run (finish it with --resume)" if unfinished else f"a folder without {CONFIG}"
        raise InputError(f"{folder}: expected a model folder, got {got}")
    head = _decode(folder / CONFIG, _Head)
    if head.format != FORMAT:
        raise InputError(f"{folder / CONFIG}: expected the format {FORMAT!r}, got {head.format!r}")
    if head.version != VERSION:
        raise InputError(f"{folder / CONFIG}: expected version {VERSION}, got version {head.version}")


def _decode(path: Path, kind: Any) -> Any:
    try:
        return msgspec.json.decode(_read(path), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: expected what elman wrote, got: {error}") from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: expected a readable file, {error.strerror}") from None


def _json(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def _history_lines(history: Sequence[EpochRecord]) -> str:
    stream = io.StringIO()
    names = list(history[0].scores) if history else []
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["epoch", "loss", *names, "seconds"])
    for record in history:
        writer.writerow([record.epoch, record.loss, *record.scores.values(), round(record.seconds, 3)])
    return stream.getvalue()


def _read_history(path: Path) -> list[EpochRecord]:
    try:
        rows = list(csv.DictReader(_read(path).decode().splitlines()))
        fixed = ("epoch", "loss", "seconds")
        return [
            EpochRecord(
                int(row["epoch"]),
                float(row["loss"]),
                {name: float(value) for name, value in row.items() if name not in fixed},
                float(row["seconds"]),
            )
            for row in rows
        ]
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: expected the figures of each epoch, got: {error}") from None
