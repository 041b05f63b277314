"""What the commands of ``elman train`` share: their options, and a run from the claim of a folder to a saved model."""

import hashlib
import shlex
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elman._errors import about
from elman._extras import Extra
from elman.cli._arguments import add_encoding
from elman.cli._outputs import may_plot, require_places
from elman.cli._parser import Group
from elman.cli._wording import wrapped
from elman.tasks._options import TrainingOptions, check_options, options_of

if TYPE_CHECKING:
    from elman.runtime._trained import TrainedModel
    from elman.tasks._estimator import Estimator

__all__ = ["NEEDS", "UNNAMED", "Data", "add_files", "add_running", "train"]

UNNAMED = {"cell": "rnn"}  # options that runs of older versions do not name, and what they were
NEEDS = Extra("train", ("torch", "scikit-learn", "rich", "accelerate", "msgspec"))


@dataclass(frozen=True)
class Data:
    """What a file holds for ``fit``.

    Attributes:
        arguments: what ``fit`` takes by place.
        named: what it takes by name, such as ``validation``.
        columns: what the columns were called.
    """

    arguments: tuple[Any, ...]
    named: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, Any] = field(default_factory=dict)


def add_files(group: Group) -> None:
    group.add_argument(
        "--out", metavar="FOLDER", type=Path, required=True, help="Folder to write the model to (required)"
    )
    add_encoding(group, "files")


def add_running(group: Group) -> None:
    group.add_argument("--resume", action="store_true", help="Go on with a stopped run, or begin it")
    group.add_argument("--overwrite", action="store_true", help="Replace the model in --out and the file of --plot")
    curves = "Picture of loss and score by epoch: .png, .svg or .pdf (needs the extra plot)"
    group.add_argument("--plot", metavar="FILE", type=Path, help=curves)
    group.add_argument("--verbose", action="store_true", help="A line for every epoch, not only those that did better")


def train(
    options: Namespace,
    name: str,
    known: type[TrainingOptions],
    read: Callable[[], Data],
    following: tuple[str, ...],
) -> int:
    """Train on a file and save the model; return the exit code.

    What takes long to import, scikit-learn and PyTorch, waits until options, file and folder are known to be sound.

    Args:
        options: of the command.
        name: what the estimator is called in ``elman.tasks``, and its trained model in ``elman.runtime``.
        known: what options it has.
        read: reads the file, once the options are known to be sound.
        following: commands that a person may want next, with ``{model}`` in the place of the folder.
    """
    from elman import runtime, tasks
    from elman.tasks._processes import is_main_process, leave

    out: Path = options.out
    trained: type[TrainedModel] = getattr(runtime, name)
    if options.resume and options.overwrite:
        raise tasks.InputError("--resume goes on with a run and --overwrite starts anew: expected one of them")
    values = _values(options, known)
    check_options(known, values)
    if options.plot and not may_plot(options.plot):
        return 1
    require_places([options.plot], options.overwrite or options.resume, made=out)
    if options.resume and _is_finished(out, trained, options):
        print(f"{out}: the run has finished already, there is nothing to resume")
        _plot(options.plot, lambda: getattr(tasks, name).load(out))
        return 0
    with _reading(options.file):
        data = read()
        if is_main_process():
            _claim(out, trained, overwrite=options.overwrite, resume=options.resume)
    estimator = getattr(tasks, name)(**values)
    try:
        with about(options.file, out):
            shown = 2 if options.verbose else 1
            estimator.fit(*data.arguments, **data.named, checkpoints=out, resume=options.resume, verbose=shown)
    except KeyboardInterrupt:
        if not (out / "checkpoint").is_dir():  # nothing has been kept yet
            raise
        _say_how_to_go_on(out)
        return 130
    if is_main_process():
        estimator.model_ = estimator.model_.with_columns(data.columns)
        estimator.data_["file"] = _written(options.file.name)
        estimator.run_ = _run_of(options)
        _plot(options.plot, lambda: estimator)
        _finish(estimator, out, following)
    leave()
    return 0


def _plot(path: Path | None, estimator: "Callable[[], Estimator]") -> None:
    if path:
        from elman.cli._plot_training import plot

        plot(path, estimator())


def _values(options: Namespace, known: type[TrainingOptions]) -> dict[str, Any]:
    """Return the options that an estimator has; a validation file takes the place of a share."""
    shared = {"validation": 0.0} if isinstance(options.validation, Path) else {}
    return {option.name: getattr(options, option.name) for option in options_of(known)} | shared


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    """Say what is read: on a terminal at once, elsewhere once it is sound, so that a refusal stays one line."""
    from elman.tasks._processes import is_main_process

    def say() -> None:
        if is_main_process():
            print(f"reading {_written(file)}, then loading PyTorch", file=sys.stderr, flush=True)

    watched = sys.stderr.isatty()
    if watched:
        say()
    yield
    if not watched:
        say()


def _is_finished(out: Path, trained: "type[TrainedModel]", options: Namespace) -> bool:
    from elman.runtime._model_folder import read_model
    from elman.tasks import InputError

    if (out / "checkpoint").is_dir() or not (out / "config.json").is_file():
        return False
    made_with = UNNAMED | read_model(out, trained).origin.run.get("options", {})
    for name, value in _run_of(options)["options"].items():
        if made_with.get(name) != value:
            before, now = ("none" if each is None else each for each in (made_with.get(name), value))
            raise InputError(f"{out}: holds a finished model with --{name} {before}, got {now}")
    return True


def _claim(out: Path, trained: "type[TrainedModel]", *, overwrite: bool, resume: bool) -> None:
    from elman.runtime._model_folder import claim_folder
    from elman.tasks._checkpoints import remove_checkpoint

    claim_folder(out, trained, overwrite=overwrite, resume=resume)
    if not resume:
        remove_checkpoint(out)


def _run_of(options: Namespace) -> dict[str, Any]:
    """Return what ``elman train --config`` has to know to repeat a run."""
    apart = {"run", "needs", "command", "config", "task", "file", "out", "resume", "overwrite"}
    apart |= {"threads", "plot", "verbose"}
    given = {name.replace("_", "-"): value for name, value in vars(options).items() if name not in apart}
    paths = {name: _written(value.resolve()) for name, value in given.items() if isinstance(value, Path)}
    file = options.file.resolve()
    return {"task": options.task, "file": _written(file), "digest": file_digest(file), "options": given | paths}


def _written(path: Path | str) -> str:
    """Return a file's name as text, whatever bytes it is made of."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def file_digest(path: Path) -> str:
    """Return a digest of a file's bytes, nothing if it cannot be read."""
    digest = hashlib.sha256()
    with suppress(OSError), open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
        return digest.hexdigest()
    return ""


def _say_how_to_go_on(out: Path) -> None:
    words = [word for word in sys.argv[1:] if word not in ("--resume", "--overwrite")]
    kept = out / "checkpoint"
    is_kept = (kept / "checkpoint.json").is_file()
    said = f"the last checkpoint is kept in {kept}. Go on" if is_kept else "nothing has been kept yet. Begin again"
    print(f"\ninterrupted; {said} with\n", file=sys.stderr)
    print(f"  {shlex.join(['elman', *words, '--resume'])}\n", file=sys.stderr)


def _finish(estimator: "Estimator", out: Path, following: tuple[str, ...]) -> None:
    from elman.tasks._checkpoints import remove_checkpoint

    estimator.save(out, overwrite=True)
    remove_checkpoint(out)
    folder = shlex.quote(f"{out}/")
    print(f"\n{wrapped(f'The model lies in {folder}. Next:')}\n")
    print("\n".join(f"  {line.format(model=folder)}" for line in following))
