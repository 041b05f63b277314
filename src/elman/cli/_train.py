"""``elman train``, the commands that train a model, and the repetition of a run."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elman._errors import InputError
from elman.cli._parser import Commands, add_command
from elman.cli._train_classify import add_classify
from elman.cli._train_forecast import add_forecast_training
from elman.cli._train_language import add_language
from elman.cli._train_tag import add_tag
from elman.cli._training import UNNAMED, file_digest

__all__ = ["add_train", "repeated"]

CONFIG = "--config"


def add_train(commands: Commands) -> None:
    parser = add_command(commands, "train", "Train a model.")
    help = "Repeat the run that made a model, of whose folder this is the config.json; --out and others may follow"
    parser.options.add_argument(CONFIG, metavar="FILE", help=help)
    tasks = parser.add_commands("task")
    for add in (add_classify, add_tag, add_language, add_forecast_training):
        add(tasks)


@dataclass(frozen=True)
class _Run:
    """What ``config.json`` keeps of the command that made a model."""

    task: str
    file: str
    digest: str
    options: dict[str, str | int | float | bool | list[str] | None]


def repeated(words: Sequence[str]) -> list[str]:
    """Return the words of a command, with those that a ``config.json`` stands for in the place of ``--config``.

    Raises:
        InputError: the file is no configuration of a model, or of one that no command made.
    """
    before = len(words) > 1 and words[0] == "train" and words[1].partition("=")[0] == CONFIG
    if not before:
        return list(words)
    _, equals, value = words[1].partition("=")
    path, rest = (value, words[2:]) if equals else (next(iter(words[2:]), ""), words[3:])
    if not path:
        raise InputError(f"{CONFIG}: expected the config.json of a model, got none")
    run = _read_run(Path(path))
    if file_digest(Path(run.file)) != run.digest:
        print(
            f"elman: warning: {run.file} is not what the run was made with, and so its model will be another",
            file=sys.stderr,
        )
    replaced = {word.partition("=")[0].removeprefix("--") for word in rest}
    options = {name: value for name, value in (UNNAMED | run.options).items() if name not in replaced}
    return ["train", run.task, run.file, *_option_words(options), *rest]


def _read_run(path: Path) -> _Run:
    from elman._files import read_file
    from elman._schema import build
    from elman.runtime._config import read_config
    from elman.runtime._model_folder import LARGEST_TEXT

    _, _, origin = read_config(read_file(path, None, LARGEST_TEXT), str(path))
    if not origin.run:
        raise InputError(f"{path}: expected the configuration of a model that elman train made, got one without a run")
    return build(origin.run, _Run, str(path), "run")


def _option_words(options: dict[str, Any]) -> Iterator[str]:
    for name, value in options.items():
        if isinstance(value, bool):
            yield f"--{name}" if value else f"--no-{name}"
        elif isinstance(value, list):
            yield from (f"--{name}={part}" for part in value)
        elif value is not None:
            yield f"--{name}={value}"
