"""How well labels were predicted, shown to a person."""

import shutil
import sys
from collections.abc import Sequence
from typing import Any

from elman._figures import counted
from elman.cli._figures import columns, figures_table
from elman.cli._wording import printable

__all__ = ["show", "warn_of_unseen"]

WIDEST_MATRIX = 24  # classes; beyond, the matrix is left to --json


def warn_of_unseen(labels: Sequence[str], classes: Sequence[str]) -> None:
    """Say which labels of the data the model cannot predict."""
    unseen = sorted(set(labels) - set(classes))
    if unseen:
        print(f"labels the model has never seen, counted as wrong: {printable(', '.join(unseen))}", file=sys.stderr)


def show(report: dict[str, Any]) -> None:
    """Show how well labels were predicted: overall, of each class, and which were taken for which."""
    print(f"accuracy  {report['accuracy']:.2%}    macro F1  {report['macro_f1']:.4f}")
    print(f"{counted(report['examples'], 'example')} in {report['seconds']:.2f} s\n")
    print(figures_table(report["per_class"], "class", "examples"))
    matrix = report["confusion_matrix"]
    shown = _matrix(matrix["labels"], matrix["rows"]) if len(matrix["labels"]) <= WIDEST_MATRIX else ""
    if not shown or (sys.stdout.isatty() and shown.index("\n") > shutil.get_terminal_size().columns):
        print(f"\nThe confusion matrix of {len(matrix['labels'])} classes is too wide to show; --json has it.")
    else:
        print(f"\nrows: the true class, columns: the predicted one\n{shown}")


def _matrix(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    rows = [["", *map(str, range(1, len(labels) + 1))]]
    for number, (name, row) in enumerate(zip(labels, counts, strict=True), start=1):
        rows.append([f"{number:>2} {printable(name)}", *(str(count) if count else "·" for count in row)])
    return columns(rows)
