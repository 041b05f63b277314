"""The commands for classifiers of sequences of numbers."""

import sys
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from elman._errors import InputError, listed
from elman.cli._arguments import asked_format
from elman.cli._classification import show
from elman.cli._given import example_of, given_file
from elman.cli.kinds._classifying import FORMATS, report, size, write_predictions
from elman.runtime import SequenceClassifier, Trace

if TYPE_CHECKING:
    from elman.tasks._classifiers.sequences import Sequences

__all__ = ["OPTIONS", "describe", "evaluate", "predict", "show", "trace"]

OPTIONS: tuple[str, ...] = ("dates", "decimal")


def evaluate(classifier: SequenceClassifier, options: Namespace) -> dict[str, Any]:
    found = _read(classifier, options, labelled=True)
    assert found.labels is not None
    return report(classifier, found.values, found.labels)


def predict(classifier: SequenceClassifier, options: Namespace) -> None:
    format = asked_format(options.format, *FORMATS)
    found = _read(classifier, options, labelled=False)
    write_predictions(classifier, found.values, "sequence", found.names, format)


def describe(classifier: SequenceClassifier) -> dict[str, str]:
    settings = classifier.settings
    steps = f"{settings.frame_size} steps at once" if settings.frame_size > 1 else "step by step"
    columns = ", ".join(f"{role} {name!r}" for role, name in settings.columns.items())
    return {
        "network": size(classifier) + settings.convolutions.describe(),
        "channels": f"{listed(settings.channels)}; read {steps}",
        **({"columns": columns} if columns else {}),
    }


def trace(classifier: SequenceClassifier, options: Namespace) -> Trace:
    options.file = file = given_file(options)
    return classifier.trace(example_of(_read(classifier, options, labelled=False).values, options.example, file))


def _read(classifier: SequenceClassifier, options: Namespace, *, labelled: bool) -> "Sequences":
    from elman.tasks._classifiers.sequence_file import SequenceColumns, read_sequences

    known = classifier.columns
    columns = SequenceColumns(
        known.get("sequence", "sequence"),
        getattr(options, "label", None) or known.get("label", "label"),
        known.get("time"),
        tuple(classifier.channels) if known else (),
        options.dates or known.get("dates"),
        options.decimal,
        known.get("decimal"),
    )
    found = read_sequences(options.file, columns, labelled=labelled, encoding=options.encoding)
    for notice in found.notices:
        print(f"{options.file}: {notice}", file=sys.stderr)
    channels = found.values[0].shape[1]
    if channels != len(classifier.channels):
        raise InputError(
            f"{found.places[0]}: expected {len(classifier.channels)} channels, as in training, got {channels}"
        )
    return found
