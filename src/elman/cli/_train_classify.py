"""``elman train classify``."""

import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from elman.cli._arguments import add_notation
from elman.cli._options import add_options
from elman.cli._parser import Commands, Group, add_command
from elman.cli._training import NEEDS, Data, add_files, add_running, train
from elman.tasks._classifiers.options import SequenceOptions, TextOptions
from elman.tasks._options import TrainingOptions, options_of

__all__ = ["add_classify", "classify"]

# Options for one kind of examples alone, beside those of its estimator, with their defaults.
OF_TEXTS: dict[str, Any] = {"text": "text"}
OF_SEQUENCES: dict[str, Any] = {"sequence": None, "time": None, "channel": None, "dates": None, "decimal": None}


def add_classify(commands: Commands) -> None:
    summary = "Train a classifier on a file of labelled texts, or of labelled sequences of numbers."
    parser = add_command(commands, "classify", summary, classify, NEEDS)
    contents = "Texts with labels (.csv, .tsv, .jsonl), or sequences of numbers (.ts, .npz, or a table and --sequence)"
    parser.arguments.add_argument("file", metavar="FILE", type=Path, help=contents)
    add_files(parser.group("Data"))
    parser.group("Data").add_argument("--label", metavar="COLUMN", default="label", help="Column of the labels")
    parser.group("Texts").add_argument("--text", metavar="COLUMN", default=OF_TEXTS["text"], help="Column of the texts")
    _add_sequences(parser.group("Numbers"))
    add_options(parser, TextOptions, SequenceOptions)
    add_running(parser.group("Running"))


def _add_sequences(group: Group) -> None:
    add = group.add_argument
    add("--sequence", metavar="COLUMN", help="Column of a table, a row a step, that says which sequence a row is of")
    add("--time", metavar="COLUMN", help="Column that orders the rows of a sequence (default: they are in order)")
    channels = "Column of numbers, may be repeated (default: all other columns of numbers)"
    add("--channel", metavar="COLUMN", action="append", help=channels)
    add_notation(group)


def classify(options: Namespace) -> int:
    from elman.tasks._classifiers.sequence_file import holds_sequences

    if options.sequence or holds_sequences(options.file):
        _refuse_options(options, OF_TEXTS | _alone(TextOptions, SequenceOptions), "for texts, got sequences of numbers")
        following = _next(options.file.suffix)
        return train(options, "SequenceClassifier", SequenceOptions, lambda: _read_sequences(options), following)
    of_sequences = OF_SEQUENCES | _alone(SequenceOptions, TextOptions)
    _refuse_options(options, of_sequences, "for sequences of numbers (.ts, .npz, or --sequence), got texts")
    return train(options, "TextClassifier", TextOptions, lambda: _read_texts(options), _next(".txt"))


def _next(suffix: str) -> tuple[str, ...]:
    test = ".csv" if suffix == ".txt" else suffix
    return f"elman evaluate {{model}} test{test}", f"elman predict {{model}} input{suffix}", "elman info {model}"


def _alone(estimator: type[TrainingOptions], other: type[TrainingOptions]) -> dict[str, Any]:
    """Return the defaults of those options that the other estimator lacks."""
    shared = {option.name for option in options_of(other)}
    return {option.name: option.default for option in options_of(estimator) if option.name not in shared}


def _refuse_options(options: Namespace, defaults: Mapping[str, Any], why: str) -> None:
    from elman.tasks import InputError

    for name, default in defaults.items():
        if getattr(options, name) != default:
            raise InputError(f"--{name.replace('_', '-')}: expected this option {why}")


def _read_texts(options: Namespace) -> Data:
    from elman.tasks._classifiers.text_file import Examples, read_examples

    columns = {"text": options.text, "label": options.label}

    def read(file: Path) -> Examples:
        return read_examples(file, **columns, encoding=options.encoding)

    examples, validation = read(options.file), None
    _see_classes(examples.labels, f"{options.file}, column {options.label!r}")
    if isinstance(options.validation, Path):
        held = read(options.validation)
        places = [f"{options.validation}, line {line}, column {options.label!r}" for line in held.lines]
        _see_known(held.labels, places, examples.labels)
        validation = (held.texts, held.labels)
    return Data((examples.texts, examples.labels), {"validation": validation}, columns)


def _read_sequences(options: Namespace) -> Data:
    from elman.tasks._classifiers.sequence_file import SequenceColumns, read_sequences
    from elman.tasks._classifiers.sequences import Sequences

    named = {"sequence": options.sequence, "label": options.label, "time": options.time}
    columns = {role: name for role, name in named.items() if name} if options.sequence else {}

    def read(file: Path, channels: Sequence[str]) -> Sequences:
        notation = {"dates": options.dates, "decimal": options.decimal}
        wanted = SequenceColumns(**columns, channels=tuple(channels), **notation)
        sequences = read_sequences(file, wanted, labelled=True, encoding=options.encoding)
        for notice in sequences.notices:
            print(f"{file}: {notice}", file=sys.stderr)
        return sequences

    found, validation = read(options.file, options.channel or ()), None
    assert found.labels
    _see_classes(found.labels, f"{options.file}, label")
    if isinstance(options.validation, Path):
        held = read(options.validation, found.channels or ())
        assert held.labels
        _see_known(held.labels, [f"{place}, label" for place in held.places], found.labels)
        validation = (held.values, held.labels)
    notation = {"dates": options.dates, "decimal": found.decimal} if columns else {}
    known = {name: value for name, value in notation.items() if value}
    named_channels = {"validation": validation, "channels": found.channels}
    return Data((found.values, found.labels), named_channels, columns | known)


def _see_classes(labels: Sequence[str], place: str) -> None:
    from elman.tasks import InputError

    if len(set(labels)) < 2:
        raise InputError(f"{place}: expected two classes or more, all rows have {labels[0]!r}")


def _see_known(labels: Sequence[str], places: Sequence[str], training: Sequence[str]) -> None:
    from elman.tasks import InputError

    known = set(training)
    for place, label in zip(places, labels, strict=True):
        if label not in known:
            raise InputError(f"{place}: expected a label seen in training, got {label!r}")
