"""``elman evaluate``."""

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["evaluate"]

WIDEST_MATRIX = 24  # classes; beyond, the matrix is left to --json


def evaluate(
    model: Annotated[Path, typer.Argument(help="A model folder.", show_default=False)],
    file: Annotated[Path, typer.Argument(help="Texts with labels: .csv, .tsv or .jsonl.", show_default=False)],
    text: Annotated[str | None, typer.Option(help="Column of the texts. Default: as in training.")] = None,
    label: Annotated[str | None, typer.Option(help="Column of the labels. Default: as in training.")] = None,
    encoding: Annotated[str, typer.Option(help="Encoding of the file.")] = "utf-8",
    threads: Annotated[int | None, typer.Option(help="Default: one a core.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure a model on labelled texts: accuracy, macro F1, each class, confusion matrix."""
    from elman.tasks import TextClassifier
    from elman.tasks._examples import read_examples
    from elman.tasks._metrics import classification_report
    from elman.tasks._options import check_options

    check_options({"threads": threads})
    classifier = TextClassifier.load(model)
    classifier.threads = threads
    columns = classifier.columns_
    text, label = text or columns.get("text", "text"), label or columns.get("label", "label")
    examples = read_examples(file, text, label, encoding)
    started = time.perf_counter()
    classes = [str(name) for name in classifier.classes_]
    predicted = [classes[i] for i in classifier.predict_proba(examples.texts).argmax(1)]
    seconds = time.perf_counter() - started
    report = classification_report(examples.labels, predicted, classes)
    unseen = sorted(set(examples.labels) - set(classes))
    if unseen:
        print(f"labels the model has never seen, counted as wrong: {', '.join(unseen)}", file=sys.stderr)
    report |= {"examples": len(examples.texts), "seconds": seconds}
    print(json.dumps(report, ensure_ascii=False)) if as_json else _show(report)


def _show(report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 1000)
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

    return escape(text)
