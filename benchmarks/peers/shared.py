"""What the peers share: files to read, a report to print."""

import csv
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

__all__ = ["f1_of_spans", "paths", "read_sentences", "read_texts", "report", "timed"]

T = TypeVar("T")
Sentence = list[tuple[str, str]]  # tokens with their tags


def paths() -> tuple[Path, Path]:
    """Return the files to train on and to test by, the first two arguments."""
    return Path(sys.argv[1]), Path(sys.argv[2])


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """Do some work, and return what it returns and the seconds that it took."""
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started


def report(training: float, prediction: float, **figures: Any) -> None:
    """Print the seconds of training and of prediction, and the figures, as one JSON object."""
    print(json.dumps({"train_seconds": training, "seconds": prediction, **figures}, ensure_ascii=False))


def read_texts(path: Path) -> tuple[list[str], list[str]]:
    """Return the texts and the labels of a CSV file."""
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    return [row["text"] for row in rows], [row["label"] for row in rows]


def read_sentences(path: Path) -> list[Sentence]:
    """Return the sentences of a file with a token and its tag a line."""
    blocks = path.read_text(encoding="utf-8").strip("\n").split("\n\n")
    return [[(fields[0], fields[-1]) for fields in map(str.split, block.split("\n"))] for block in blocks]


def f1_of_spans(truth: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> float:
    """Return the F1 of entities by conlleval's definition; of plain tags, of all that are not O."""
    true, said = (
        {(place, *span) for place, tags in enumerate(each) for span in _spans(tags)} for each in (truth, predicted)
    )
    return 2 * len(true & said) / max(1, len(true) + len(said))


def _spans(tags: Sequence[str]) -> list[tuple[int, int, str]]:
    spans, begin, kind = [], 0, ""
    for place, tag in enumerate([*tags, "O"]):
        prefix, dash, name = tag.partition("-")
        inside = bool(dash) and prefix == "I" and name == kind
        if kind and not inside:
            spans.append((begin, place, kind))
            kind = ""
        if tag != "O" and not inside:
            begin, kind = place, name if dash else tag
    return spans
