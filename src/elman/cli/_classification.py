"""How well labels were predicted, shown to a person."""

import sys
from collections.abc import Sequence
from typing import Any

from elman.cli._figures import console, figures_table
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
    from rich.markup import escape
    from rich.table import Table

    screen = console()
    screen.print(f"accuracy  {report['accuracy']:.2%}    macro F1  {report['macro_f1']:.4f}")
    screen.print(f"{report['examples']:,} examples in {report['seconds']:.2f} s\n")
    screen.print(figures_table(report["per_class"], "class", "examples"))
    labels = report["confusion_matrix"]["labels"]
    if len(labels) > WIDEST_MATRIX:
        screen.print(f"\nThe confusion matrix of {len(labels)} classes is too wide to show; --json has it.")
        return
    screen.print("\nrows: the true class, columns: the predicted one")
    matrix = Table(box=None, pad_edge=False)
    matrix.add_column("")
    for number in range(1, len(labels) + 1):
        matrix.add_column(str(number), justify="right")
    rows = report["confusion_matrix"]["rows"]
    for number, (name, row) in enumerate(zip(labels, rows, strict=True), start=1):
        matrix.add_row(f"{number:>2} {escape(printable(name))}", *(str(count) if count else "·" for count in row))
    screen.print(matrix)
