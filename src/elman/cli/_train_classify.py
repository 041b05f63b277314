"""``elman train classify``."""

from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from elman.cli._arguments import integer
from elman.cli._parser import Commands, Group, add_command
from elman.cli._training import (
    NEEDS,
    Data,
    add_directions,
    add_files,
    add_network,
    add_running,
    add_training,
    train,
)

__all__ = ["add_classify", "classify"]

# Options for one kind of examples alone, with their defaults.
OF_TEXTS: dict[str, Any] = {"text": "text", "tokens": None, "max_length": 512, "embedding_size": 128}
OF_SEQUENCES: dict[str, Any] = {"sequence": None, "time": None, "channel": None, "frame_size": None}


def add_classify(commands: Commands) -> None:
    summary = "Train a classifier on a file of labelled texts, or of labelled sequences of numbers."
    parser = add_command(commands, "classify", summary, classify, NEEDS)
    kinds = "Texts with labels (.csv, .tsv, .jsonl), or sequences of numbers (.ts, .npz, or a table and --sequence)"
    parser.arguments.add_argument("file", metavar="FILE", type=Path, help=kinds)
    data = parser.add_argument_group("Data")
    add_files(data)
    data.add_argument("--label", metavar="COLUMN", default="label", help="Column of the labels")
    _add_texts(parser.add_argument_group("Texts"))
    _add_sequences(parser.add_argument_group("Numbers"))
    network = parser.add_argument_group("Network")
    add_network(network, hidden_size=128, embedding_size=OF_TEXTS["embedding_size"], dropout=0.4)
    add_directions(network)
    training = parser.add_argument_group("Training")
    epochs = "At most (default: 6 to 60 for texts, 10 to 300 for sequences, by the data's size)"
    add_training(
        training,
        learning_rate=3e-3,
        epochs=epochs,
        batch_size="Examples a step (default: 16 to 64, by the data's size)",
    )
    add_running(parser.add_argument_group("Running"))


def _add_texts(group: Group) -> None:
    add = group.add_argument
    add("--text", metavar="COLUMN", default=OF_TEXTS["text"], help="Column of the texts")
    add("--tokens", metavar="char|word", help="What a token is (default: chosen from the texts)")
    add("--max-length", metavar="N", type=integer, default=OF_TEXTS["max_length"], help="Tokens read of a text")


def _add_sequences(group: Group) -> None:
    add = group.add_argument
    add("--sequence", metavar="COLUMN", help="Column of a table, a row a step, that says which sequence a row is of")
    add("--time", metavar="COLUMN", help="Column that orders the rows of a sequence (default: they are in order)")
    channels = "Column of numbers, may be repeated (default: all other columns of numbers)"
    add("--channel", metavar="COLUMN", action="append", help=channels)
    add("--frame-size", metavar="N", type=integer, help="Steps read at once (default: by the sequences' length)")


def classify(options: Namespace) -> int:
    from elman.tasks._classifiers.sequence_file import holds_sequences

    if options.sequence or holds_sequences(options.file):
        _refuse_options(options, OF_TEXTS, "for texts, got sequences of numbers")
        following = _next(options.file.suffix)
        return train(options, "SequenceClassifier", lambda: _read_sequences(options), following)
    _refuse_options(options, OF_SEQUENCES, "for sequences of numbers (.ts, .npz, or --sequence), got texts")
    return train(options, "TextClassifier", lambda: _read_texts(options), _next(".txt"))


def _next(suffix: str) -> tuple[str, ...]:
    test = ".csv" if suffix == ".txt" else suffix
    return f"elman evaluate {{model}} test{test}", f"elman predict {{model}} input{suffix}", "elman info {model}"


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
        wanted = SequenceColumns(**columns, channels=tuple(channels))
        return read_sequences(file, wanted, labelled=True, encoding=options.encoding)

    found, validation = read(options.file, options.channel or ()), None
    assert found.labels
    _see_classes(found.labels, f"{options.file}, label")
    if isinstance(options.validation, Path):
        held = read(options.validation, found.channels or ())
        assert held.labels
        _see_known(held.labels, [f"{place}, label" for place in held.places], found.labels)
        validation = (held.values, held.labels)
    return Data((found.values, found.labels), {"validation": validation, "channels": found.channels}, columns)


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
