"""``elman predict``."""

import csv
import json
import math
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from elman.cli._arguments import add_encoding, add_known_column, add_model, add_threads, use_threads
from elman.cli._parser import Commands, add_command
from elman.cli._wording import printable

if TYPE_CHECKING:
    from elman.runtime import TextClassifier

__all__ = ["add_predict", "predict"]

TEXTS_AT_ONCE = 1024


def add_predict(commands: Commands) -> None:
    parser = add_command(commands, "predict", "Predict the label of each text, with its probability.", predict)
    add_model(parser.arguments)
    kinds = "Texts: one a line, - for standard input, or .csv, .tsv, .jsonl"
    parser.arguments.add_argument("file", metavar="FILE", help=kinds)
    add_known_column(parser.options, "text")
    parser.options.add_argument("--format", metavar="jsonl|tsv", default="jsonl", help="Of the output")
    add_encoding(parser.options, "input")
    add_threads(parser.options)


def predict(options: Namespace) -> None:
    from elman._errors import OptionError
    from elman.runtime import TextClassifier

    use_threads(options.threads)
    if options.format not in ("jsonl", "tsv"):
        raise OptionError("format", "jsonl or tsv", options.format)
    classifier = TextClassifier.load(options.model)
    column = options.text or classifier.columns.get("text", "text")
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure:  # Chinese labels whatever the locale
        reconfigure(encoding="utf-8")
    cut = 0
    with _texts(options.file, column, options.encoding) as (texts, is_ready):
        for batch in _batches(texts, is_ready):
            cut += sum(_is_cut(classifier, text) for text in batch)
            _write(classifier, batch, options.format)
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
    from elman._errors import InputError
    from elman.tasks._reading import file_kind, open_input, plain_lines, read_table

    if file == "-":
        if sys.stdin is None:
            raise InputError("standard input: expected an open one, it is closed")
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

    return len(text) > classifier.max_length and tokenize(text, classifier.tokens, classifier.max_length)[1]


def _write(classifier: "TextClassifier", texts: list[str], form: str) -> None:
    probabilities = classifier.predict_proba(texts)
    best = probabilities.argmax(1)
    writer = csv.writer(sys.stdout, "excel-tab", lineterminator="\n")
    seen = sys.stdout.isatty()  # by a person: a model of a stranger's may not command the terminal
    for text, label, row in zip(texts, classifier.classes[best].tolist(), probabilities, strict=True):
        # NaN, of a model with NaN in it, is no JSON
        probability = round(float(row.max()), 6) if math.isfinite(row.max()) else None
        if form == "tsv":
            writer.writerow([printable(str(label)) if seen else label, probability])
        else:
            line = json.dumps({"label": label, "probability": probability, "text": text}, ensure_ascii=False)
            print("".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line) if seen else line)
    sys.stdout.flush()
