"""``elman train classify``."""

import shlex
import sys
from argparse import BooleanOptionalAction, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elman.cli._arguments import add_encoding, add_table, add_threads, integer, number
from elman.cli._extras import Extra
from elman.cli._parser import Commands, Group, add_command

if TYPE_CHECKING:
    from elman.tasks import TextClassifier
    from elman.tasks._examples import Examples

__all__ = ["add_classify", "classify"]

NEEDS = Extra("train", ("torch", "sklearn", "rich", "accelerate", "msgspec"))


def add_classify(commands: Commands) -> None:
    summary = "Train a text classifier on a file of texts with labels."
    parser = add_command(commands, "classify", summary, classify, NEEDS)
    add_table(parser.arguments)
    _add_data(parser.add_argument_group("Data"))
    _add_network(parser.add_argument_group("Network"))
    _add_training(parser.add_argument_group("Training"))
    _add_running(parser.add_argument_group("Running"))


def _add_data(group: Group) -> None:
    add = group.add_argument
    add("--out", metavar="FOLDER", type=Path, required=True, help="Folder to write the model to (required)")
    add("--text", metavar="COLUMN", default="text", help="Column of the texts")
    add("--label", metavar="COLUMN", default="label", help="Column of the labels")
    add_encoding(group, "files")
    add("--validation", metavar="FRACTION|FILE", default="0.1", help="Part to choose the best epoch by")
    add("--tokens", metavar="char|word", help="What a token is (default: chosen from the texts)")
    add("--max-length", metavar="N", type=integer, default=512, help="Tokens read of a text")


def _add_network(group: Group) -> None:
    add = group.add_argument
    add("--hidden-size", metavar="N", type=integer, default=128, help="Units of a layer and direction")
    add("--embedding-size", metavar="N", type=integer, default=128, help="Width of a token's vector")
    add("--layers", metavar="N", type=integer, default=1, help="Recurrent layers")
    add("--bidirectional", action=BooleanOptionalAction, default=True, help="Read backwards as well")
    add("--dropout", metavar="FRACTION", type=number, default=0.4, help="Share of features forgotten")
    add("--engine", metavar="elman|torch", default="elman", help="Whose recurrent layer")


def _add_training(group: Group) -> None:
    add = group.add_argument
    add("--learning-rate", metavar="RATE", type=number, default=3e-3, help="The greatest")
    add("--epochs", metavar="N", type=integer, help="At most (default: 6 to 60, by the data's size)")
    add("--batch-size", metavar="N", type=integer, help="Of texts (default: 16 to 64, by the data's size)")
    add("--seed", metavar="N", type=integer, default=0, help="Of all that is random")


def _add_running(group: Group) -> None:
    add_threads(group)
    group.add_argument("--resume", action="store_true", help="Go on with a stopped run")
    group.add_argument("--overwrite", action="store_true", help="Replace the model in --out")


def classify(options: Namespace) -> int:
    from elman.tasks import InputError, TextClassifier

    if options.resume and options.overwrite:
        raise InputError("--resume goes on with a run and --overwrite starts anew: expected one of them")
    out, columns = options.out, {"text": options.text, "label": options.label}
    fraction, validation_file = _validation(options.validation)
    names = TextClassifier().get_params().keys()
    classifier = TextClassifier(**{name: getattr(options, name) for name in names} | {"validation": fraction})
    _check(classifier)
    if options.resume and _is_finished(out, classifier):
        print(f"{out}: the run has finished already, there is nothing to resume")
        return 0
    examples = _read(options.file, **columns, encoding=options.encoding)
    held = None
    if validation_file:
        held = _read_validation(validation_file, **columns, encoding=options.encoding, training=examples)
    _claim(out, overwrite=options.overwrite, resume=options.resume)
    try:
        _train(classifier, examples, held, out, resume=options.resume)
    except KeyboardInterrupt:
        _say_how_to_go_on(out)
        return 130
    classifier.columns_ = columns
    classifier.data_["file"] = options.file.name
    _finish(classifier, out)
    return 0


def _check(classifier: "TextClassifier") -> None:
    from elman.tasks._options import check_options

    check_options(classifier.get_params())


def _validation(value: str) -> tuple[float, Path | None]:
    try:
        return float(value), None
    except ValueError:
        return 0.0, Path(value)


def _is_finished(out: Path, classifier: "TextClassifier") -> bool:
    from elman.runtime._model_folder import read_model
    from elman.tasks import InputError

    if (out / "checkpoint").is_dir() or not (out / "config.json").is_file():
        return False
    made_with = read_model(out).config.options
    for name, value in classifier.get_params().items():
        if name != "threads" and made_with.get(name) != value:
            option = name.replace("_", "-")
            raise InputError(f"{out}: holds a finished model with --{option} {made_with.get(name)}, got {value}")
    return True


def _read(file: Path, text: str, label: str, encoding: str) -> "Examples":
    from elman.tasks import InputError
    from elman.tasks._examples import read_examples

    examples = read_examples(file, text, label, encoding)
    if len(set(examples.labels)) < 2:
        only = examples.labels[0]
        raise InputError(f"{file}, column {label!r}: expected two classes or more, all rows have {only!r}")
    return examples


def _read_validation(file: Path, text: str, label: str, encoding: str, training: "Examples") -> "Examples":
    from elman.tasks import InputError
    from elman.tasks._examples import read_examples

    examples = read_examples(file, text, label, encoding)
    known = set(training.labels)
    for line, value in zip(examples.lines, examples.labels, strict=True):
        if value not in known:
            raise InputError(f"{file}, line {line}, column {label!r}: expected a label seen in training, got {value!r}")
    return examples


def _claim(out: Path, *, overwrite: bool, resume: bool) -> None:
    from elman.runtime._model_folder import claim_folder
    from elman.tasks._checkpoints import remove_checkpoint

    claim_folder(out, overwrite=overwrite, resume=resume)
    if not resume:
        remove_checkpoint(out)


def _train(classifier: "TextClassifier", examples: "Examples", held: Any, out: Path, *, resume: bool) -> None:
    from elman.cli._display import observer

    with observer() as watching:
        classifier.fit(
            examples.texts,
            examples.labels,
            validation=(held.texts, held.labels) if held else None,
            checkpoints=out,
            resume=resume,
            observer=watching,
        )


def _say_how_to_go_on(out: Path) -> None:
    words = [word for word in sys.argv[1:] if word not in ("--resume", "--overwrite")]
    print(f"\ninterrupted; the last checkpoint is kept in {out / 'checkpoint'}. Go on with\n", file=sys.stderr)
    print(f"  {shlex.join(['elman', *words, '--resume'])}\n", file=sys.stderr)


def _finish(classifier: "TextClassifier", out: Path) -> None:
    from elman.tasks._checkpoints import remove_checkpoint

    classifier.save(out, overwrite=True)
    remove_checkpoint(out)
    metrics = classifier.metrics_
    accuracy = metrics.get("validation_accuracy")
    scored = "" if accuracy is None else f", validation accuracy {accuracy:.2%}"
    folder = shlex.quote(f"{out}/")
    print(f"\nThe model lies in {folder} (epoch {metrics['epoch']} of {metrics['epochs']}{scored}). Next:\n")
    print(f"  elman evaluate {folder} test.csv\n  elman predict {folder} input.txt\n  elman info {folder}")
