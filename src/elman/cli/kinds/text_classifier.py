"""The commands for text classifiers."""

import sys
from argparse import Namespace
from typing import Any

from elman._figures import counted
from elman.cli._arguments import asked_format
from elman.cli._classification import show
from elman.cli._given import given_text
from elman.cli._texts import batches, read_texts
from elman.cli.kinds._classifying import FORMATS, report, size, write_predictions
from elman.runtime import TextClassifier, Trace

__all__ = ["OPTIONS", "describe", "evaluate", "predict", "show", "trace"]

OPTIONS: tuple[str, ...] = ("text", "label")


def evaluate(classifier: TextClassifier, options: Namespace) -> dict[str, Any]:
    from elman.tasks._classifiers.text_file import read_examples

    columns = classifier.columns
    text, label = options.text or columns.get("text", "text"), options.label or columns.get("label", "label")
    examples = read_examples(options.file, text, label, options.encoding)
    return report(classifier, examples.texts, examples.labels)


def predict(classifier: TextClassifier, options: Namespace) -> None:
    format, column = asked_format(options.format, *FORMATS), options.text or classifier.columns.get("text", "text")
    cut = 0
    with read_texts(options.file, column, options.encoding) as (texts, is_ready):
        for batch in batches(texts, is_ready):
            cut += sum(_is_cut(classifier, text) for text in batch)
            write_predictions(classifier, batch, "text", batch, format)
    if cut:
        print(f"cut to {classifier.max_length} tokens: {counted(cut, 'text')}", file=sys.stderr)


def describe(classifier: TextClassifier) -> dict[str, str]:
    text, network = classifier.settings.text, classifier.settings.network
    return {
        "network": f"embedding {network.embedding_size}, {size(classifier)}{network.describe_ngrams()}",
        "tokens": f"{text.tokens}, {len(classifier.vocabulary):,} known, {text.max_length} read of a text",
        "columns": ", ".join(f"{role} {name!r}" for role, name in text.columns.items()),
    }


def trace(classifier: TextClassifier, options: Namespace) -> Trace:
    text = given_text(options, classifier.columns.get("text", "text"))
    if _is_cut(classifier, text):
        print(f"the text is longer than {classifier.max_length} tokens and was cut", file=sys.stderr)
    return classifier.trace(text)


def _is_cut(classifier: TextClassifier, text: str) -> bool:
    from elman.runtime._vocabulary import tokenize

    most, kind = classifier.max_length, classifier.settings.text.kind_of_tokens
    return len(text) > most and tokenize(text, kind, most)[1]
