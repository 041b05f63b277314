"""The commands for language models."""

import math
import sys
import time
from argparse import Namespace
from typing import Any

from elman._errors import InputError, OptionError
from elman._figures import counted
from elman.cli._arguments import asked_format
from elman.cli._given import given_file, given_text
from elman.cli._texts import batches, read_texts, write_record
from elman.runtime import LanguageModel, Trace

__all__ = ["OPTIONS", "describe", "evaluate", "predict", "show", "trace"]

OPTIONS: tuple[str, ...] = ("text",)

LONGEST = 100_000  # characters of a text to step through


def evaluate(model: LanguageModel, options: Namespace) -> dict[str, Any]:
    from elman.tasks._language.corpus import text_blocks

    started = time.perf_counter()
    measure = model.measure(text_blocks(options.file, options.encoding))
    if not measure.tokens:
        raise InputError(f"{options.file}: expected text, the file is empty")
    return {
        "bits_per_character": measure.bits_per_character,
        "perplexity": measure.perplexity,
        "examples": measure.tokens,
        "characters": measure.characters,
        "unknown": measure.unknown,
        "seconds": time.perf_counter() - started,
    }


def show(report: dict[str, Any]) -> None:
    print(f"bits per character  {report['bits_per_character']:.4f}    perplexity  {report['perplexity']:.2f}")
    print(
        f"{counted(report['examples'], 'token')} of {counted(report['characters'], 'character')} in "
        f"{report['seconds']:.2f} s, "
        f"{report['unknown']:,} of them unknown to the model"
    )


def predict(model: LanguageModel, options: Namespace) -> None:
    asked_format(options.format, "jsonl")
    with read_texts(options.file, options.text or "text", options.encoding) as (texts, is_ready):
        for batch in batches(texts, is_ready):
            for text in batch:
                measure = model.measure([text])
                bits = measure.bits_per_character if measure.tokens else math.nan
                record = {
                    "bits_per_character": round(bits, 4) if math.isfinite(bits) else None,
                    "tokens": measure.tokens,
                    "unknown": measure.unknown,
                }
                write_record(record | {"text": text})
            sys.stdout.flush()


def trace(model: LanguageModel, options: Namespace) -> Trace:
    from elman.tasks._language.corpus import text_blocks

    if options.file is None:
        return model.trace(given_text(options, "text"))
    if options.example is not None:
        raise OptionError("example", "none for a language model, which reads the whole file", options.example)
    file, text = given_file(options), ""
    for block in text_blocks(file, options.encoding):
        text += block
        if len(text) > LONGEST:
            raise InputError(f"{file}: expected at most {LONGEST:,} characters to step through, got more; take a part")
    return model.trace(text)


def describe(model: LanguageModel) -> dict[str, str]:
    network = model.settings.network
    ngrams = f", n-grams of up to {network.ngram} tokens in {network.ngram_rows:,} rows" if network.ngram > 1 else ""
    return {
        "network": f"embedding {network.embedding_size}{ngrams}, {network.describe()}",
        "tokens": f"{model.tokens}, {len(model.vocabulary):,} known",
    }
