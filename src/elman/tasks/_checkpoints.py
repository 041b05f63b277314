"""Checkpoints: one safetensors file with every tensor, and a JSON file that says which and when."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from safetensors import SafetensorError

from elman._errors import InputError, option
from elman._files import make_folder, write_files
from elman.tasks._environment import environment
from elman.tasks._run import Progress

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["CHECKPOINT_FOLDER", "CheckpointStore", "remove_checkpoint"]

CHECKPOINT_FOLDER = "checkpoint"
VERSION = 3  # 3: words as UAX 29 has them
RECORD = "checkpoint.json"


def remove_checkpoint(model_folder: Path) -> None:
    """Delete the checkpoint in a model folder, and its own folder if nothing else lies in it."""
    folder = model_folder / CHECKPOINT_FOLDER
    if (folder / CHECKPOINT_FOLDER).is_dir():  # that of a second run, which followed the first
        remove_checkpoint(folder)
    for path in (folder / RECORD, *folder.glob("epoch-*.safetensors"), *folder.glob(".*-*")):
        path.unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


class _Record(msgspec.Struct):
    version: int
    tensors: str  # the name of the safetensors file
    data: str  # a digest of all that it learns from
    options: dict[str, Any]
    environment: dict[str, str]
    progress: Progress


class CheckpointStore:
    """The last finished checkpoint of one training run.

    Args:
        folder: the model folder; the checkpoint lies in a folder of its own within.
        options: the options of the run.
        data: a digest of its data.
    """

    def __init__(self, folder: Path, options: Mapping[str, Any], data: str) -> None:
        self.folder = folder / CHECKPOINT_FOLDER
        self.options, self.data, self.environment = dict(options), data, environment()

    def is_kept(self) -> bool:
        """Return whether there is a checkpoint to go on from."""
        return (self.folder / RECORD).is_file()

    def save(self, progress: Progress, tensors: "dict[str, Tensor]") -> None:
        """Write a checkpoint; the JSON file comes last and is what makes it count, then older ones go."""
        from safetensors.torch import save

        name = f"epoch-{progress.epochs:04d}-step-{progress.steps:07d}.safetensors"
        record = _Record(VERSION, name, self.data, self.options, self.environment, progress)
        make_folder(self.folder)
        text = msgspec.json.format(msgspec.json.encode(record), indent=2)
        contiguous = {key: value.contiguous() for key, value in tensors.items()}
        write_files(self.folder, {name: save(contiguous), RECORD: text})
        for old in self.folder.glob("epoch-*.safetensors"):
            if old.name != name:
                old.unlink()

    def load(self) -> "tuple[Progress, dict[str, Tensor]]":
        """Return the progress and tensors of the checkpoint.

        Raises:
            InputError: it is damaged, or this run's data, options or machine are others.
        """
        from safetensors.torch import load

        try:
            record = msgspec.json.decode((self.folder / RECORD).read_bytes(), type=_Record)
            tensors = load((self.folder / record.tensors).read_bytes())
        except (msgspec.MsgspecError, SafetensorError, OSError) as error:
            raise InputError(f"{self.folder}: expected a checkpoint of this version, got: {error}") from None
        self._check(record)
        return record.progress, tensors

    def _check(self, record: _Record) -> None:
        place = f"{self.folder.parent}: {option('resume', True)} expects"
        if record.version != VERSION:
            raise InputError(f"{place} a checkpoint of version {VERSION}, got version {record.version}")
        if record.data != self.data:
            raise InputError(f"{place} the data the run began with, they have changed")
        for theirs, ours in ((record.options, self.options), (record.environment, self.environment)):
            for name in theirs.keys() | ours.keys():
                if theirs.get(name) != ours.get(name):
                    began, now = ("none" if each is None else each for each in (theirs.get(name), ours.get(name)))
                    raise InputError(f"{place} the run's own {name.replace('_', ' ')}, {began}, got {now}")
