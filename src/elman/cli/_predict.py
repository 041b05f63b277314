"""``elman predict``."""

import csv
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, cast

import typer

if TYPE_CHECKING:
    from elman.tasks import TextClassifier

__all__ = ["predict"]

TEXTS_AT_ONCE = 1024


def predict(
    model: Annotated[Path, typer.Argument(help="A model folder.", show_default=False)],
    file: Annotated[
        str,
        typer.Argument(help="Texts: one a line, - for standard input, or .csv, .tsv, .jsonl.", show_default=False),
    ],
    text: Annotated[str | None, typer.Option(help="Column of the texts. Default: as in training.")] = None,
    form: Annotated[str, typer.Option("--format", metavar="jsonl|tsv", help="Of the output.")] = "jsonl",
    encoding: Annotated[str, typer.Option(help="Encoding of the input.")] = "utf-8",
    threads: Annotated[int | None, typer.Option(help="Default: one a core.")] = None,
) -> None:
    """Predict the label of each text, with its probability."""
    from elman._errors import OptionError
    from elman.tasks import TextClassifier
    from elman.tasks._options import check_options

    check_options({"threads": threads})
    if form not in ("jsonl", "tsv"):
        raise OptionError("format", "jsonl or tsv", form)
    classifier = TextClassifier.load(model)
    classifier.threads = threads
    column = text or classifier.columns_.get("text", "text")
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure:  # Chinese labels whatever the locale
        reconfigure(encoding="utf-8")
    cut = 0
    with _texts(file, column, encoding) as (texts, is_ready):
        for batch in _batches(texts, is_ready):
            cut += sum(_is_cut(classifier, text) for text in batch)
            _write(classifier, batch, form)
    if cut:
        print(f"{cut:,} texts are longer than {classifier.max_length} tokens and were cut", file=sys.stderr)


class _PromptLines:
    """The lines of a pipe or terminal, which says whether it has a line at hand without waiting."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.pending: list[bytes] = []
        self.rest = b""

    def __iter__(self) -> Iterator[bytes]:
        while True:
            while self.pending:
                yield self.pending.pop()
            block = os.read(self.descriptor, 1 << 16)
            *lines, self.rest = (self.rest + block).split(b"\n")
            self.pending = [line + b"\n" for line in reversed(lines)]
            if not block:
                if self.rest:
                    yield self.rest
                return

    def read(self, size: int = -1) -> bytes:
        return b"".join(self)

    def is_ready(self) -> bool:
        return bool(self.pending)


@contextmanager
def _texts(file: str, column: str, encoding: str) -> Iterator[tuple[Iterator[str], Callable[[], bool]]]:
    from elman.tasks._reading import file_kind, open_input, plain_lines, read_table

    if file == "-":
        lines = _PromptLines(sys.stdin.fileno())
        yield plain_lines(cast(BinaryIO, lines), "standard input", encoding), lines.is_ready
        return
    kind = file_kind(file)
    with open_input(file) as stream:
        if kind == "text":
            yield plain_lines(stream, file, encoding), lambda: True
        else:
            rows = read_table(stream, file, kind, (column,), encoding)
            yield (row.values[column] for row in rows), lambda: True


def _batches(texts: Iterator[str], is_ready: Callable[[], bool]) -> Iterator[list[str]]:
    batch: list[str] = []
    try:
        for text in texts:
            batch.append(text)
            if len(batch) == TEXTS_AT_ONCE or not is_ready():
                yield batch
                batch = []
    except ValueError:  # what came before the bad line is not lost
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def _is_cut(classifier: "TextClassifier", text: str) -> bool:
    from elman.runtime._vocabulary import tokenize

    return len(text) > classifier.max_length and tokenize(text, classifier.tokens_, classifier.max_length)[1]


def _write(classifier: "TextClassifier", texts: list[str], form: str) -> None:
    probabilities = classifier.predict_proba(texts)
    best = probabilities.argmax(1)
    writer = csv.writer(sys.stdout, "excel-tab", lineterminator="\n")
    for text, label, row in zip(texts, classifier.classes_[best].tolist(), probabilities, strict=True):
        probability: Any = round(float(row.max()), 6)
        if form == "tsv":
            writer.writerow([label, probability])
        else:
            print(json.dumps({"label": label, "probability": probability, "text": text}, ensure_ascii=False))
    sys.stdout.flush()
