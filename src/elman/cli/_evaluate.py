"""``elman evaluate``."""

import json
import sys
import time
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from elman.cli._arguments import add_encoding, add_known_column, add_model, add_table, add_threads, use_threads
from elman.cli._extras import Extra
from elman.cli._parser import Commands, add_command
from elman.cli._wording import printable

if TYPE_CHECKING:
    from elman.runtime import TextClassifier
    from elman.tasks._examples import Examples

__all__ = ["add_evaluate", "evaluate"]

WIDEST_MATRIX = 24  # classes; beyond, the matrix is left to --json


def add_evaluate(commands: Commands) -> None:
    summary = "Measure a model on labelled texts: accuracy, macro F1, each class, confusion matrix."
    parser = add_command(commands, "evaluate", summary, evaluate, Extra("train", ("sklearn", "rich")))
    add_model(parser.arguments)
    add_table(parser.arguments)
    add_known_column(parser.options, "text")
    add_known_column(parser.options, "label")
    add_encoding(parser.options, "file")
    add_threads(parser.options)
    parser.options.add_argument("--json", action="store_true", help="Print one JSON object")


def evaluate(options: Namespace) -> None:
    from elman.runtime import TextClassifier
    from elman.tasks._examples import read_examples

    use_threads(options.threads)
    classifier = TextClassifier.load(options.model)
    columns = classifier.columns
    text, label = options.text or columns.get("text", "text"), options.label or columns.get("label", "label")
    examples = read_examples(options.file, text, label, options.encoding)
    report = _measure(classifier, examples)
    print(json.dumps(report, ensure_ascii=False)) if options.json else _show(report)


def _measure(classifier: "TextClassifier", examples: "Examples") -> dict[str, Any]:
    from elman.tasks._metrics import classification_report

    started = time.perf_counter()
    classes = [str(name) for name in classifier.classes]
    predicted = [classes[i] for i in classifier.predict_proba(examples.texts).argmax(1)]
    seconds = time.perf_counter() - started
    unseen = sorted(set(examples.labels) - set(classes))
    if unseen:
        print(f"labels the model has never seen, counted as wrong: {printable(', '.join(unseen))}", file=sys.stderr)
    report = classification_report(examples.labels, predicted, classes)
    return report | {"examples": len(examples.texts), "seconds": seconds}


def _show(report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else 1000)
    console.print(f"accuracy  {report['accuracy']:.2%}    macro F1  {report['macro_f1']:.4f}")
    console.print(f"{report['examples']:,} texts in {report['seconds']:.2f} s\n")
    table = Table(box=None, pad_edge=False)
    for column in ("class", "precision", "recall", "F1", "texts"):
        table.add_column(column, justify="left" if column == "class" else "right")
    for name, figures in report["per_class"].items():
        shares = (f"{figures[key]:.4f}" for key in ("precision", "recall", "f1"))
        table.add_row(_plain(name), *shares, f"{figures['support']:,}")
    console.print(table)
    labels = report["confusion_matrix"]["labels"]
    if len(labels) > WIDEST_MATRIX:
        console.print(f"\nThe confusion matrix of {len(labels)} classes is too wide to show; --json has it.")
        return
    console.print("\nrows: the true class, columns: the predicted one")
    matrix = Table(box=None, pad_edge=False)
    matrix.add_column("")
    for number in range(1, len(labels) + 1):
        matrix.add_column(str(number), justify="right")
    rows = report["confusion_matrix"]["rows"]
    for number, (name, row) in enumerate(zip(labels, rows, strict=True), start=1):
        matrix.add_row(f"{number:>2} {_plain(name)}", *(str(count) if count else "·" for count in row))
    console.print(matrix)


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(printable(text))
