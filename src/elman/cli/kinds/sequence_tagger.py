"""The commands for sequence taggers."""

import math
import os
import re
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from elman._figures import counted
from elman.cli._arguments import asked_format
from elman.cli._classification import warn_of_unseen
from elman.cli._figures import figures_table
from elman.cli._given import example_of, given_file, given_text
from elman.cli._tagged_text import marked_text
from elman.cli._texts import TEXTS_AT_ONCE, batches, read_texts, write_record
from elman.cli._wording import printable, wrapped
from elman.runtime import Trace
from elman.runtime._tagger.tagger import SequenceTagger, Tagged
from elman.runtime._tagger.tags import OUTSIDE, PLAIN, marked
from elman.runtime._tagger.words import Token, joined

__all__ = ["OPTIONS", "describe", "evaluate", "predict", "show", "trace"]

OPTIONS: tuple[str, ...] = ("text", "label")

TEXT_SUFFIXES = ("", ".txt")
LINES_LOOKED_AT = 1000


class _Sentence(NamedTuple):
    text: str
    tokens: list[Token]
    is_raw: bool  # a text that was split here: places count its characters, otherwise tokens


def evaluate(tagger: SequenceTagger, options: Namespace) -> dict[str, Any]:
    from elman.tasks._tagger.files import read_sentences
    from elman.tasks._tagger.metrics import tagging_report
    from elman.tasks._tagger.sound_tags import comparable_tags

    columns, scheme = tagger.columns, tagger.settings.scheme
    text, label = options.text or columns.get("text"), options.label or columns.get("label")
    sentences = list(read_sentences(options.file, text, label, options.encoding))

    def place(sentence: int, token: int) -> str:
        return f"{options.file}, {sentences[sentence].place(token)}"

    truth = comparable_tags([sentence.tags for sentence in sentences], scheme, place)
    started = time.perf_counter()
    predicted = tagger.predict([sentence.tokens for sentence in sentences])
    seconds = time.perf_counter() - started
    warn_of_unseen([tag for tags in truth for tag in tags], tagger.tags)
    sizes = {"examples": len(sentences), "tokens": sum(map(len, truth)), "seconds": seconds}
    return tagging_report(truth, predicted, scheme) | {"scheme": scheme} | sizes


def show(report: dict[str, Any]) -> None:
    plain = report["scheme"] == PLAIN
    shares = "    ".join(f"{name}  {report[name]:.4f}" for name in ("precision", "recall"))
    of = f"of tags other than {OUTSIDE}" if plain else "of entities, whose type and both ends have to be right"
    print(wrapped(f"{shares}    F1  {report['f1']:.4f}    {of}"))
    print(f"accuracy  {report['accuracy']:.2%} of {counted(report['tokens'], 'token')}")
    print(f"{counted(report['examples'], 'sentence')} in {report['seconds']:.2f} s\n")
    print(figures_table(report["per_type"], *(("tag", "tokens") if plain else ("type", "entities"))))


def predict(tagger: SequenceTagger, options: Namespace) -> None:
    default = "text" if sys.stdout.isatty() else "jsonl"
    format = asked_format(default if options.format is None else options.format, "jsonl", "conll", "text")
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    types = sorted({span.type for tag in tagger.tags for span in marked([tag], tagger.settings.scheme)})
    for sentences in _sentences(tagger, options):
        of_tokens = [[token.text for token in sentence.tokens] for sentence in sentences]
        for sentence, tagged in zip(sentences, tagger.tag(of_tokens), strict=True):
            if format == "jsonl":
                write_record(_record(sentence, tagged, tagger.settings.scheme))
            elif format == "conll":
                _write_columns(sentence, tagged)
            else:
                scheme, colours = tagger.settings.scheme, types if coloured else ()
                print(marked_text(sentence.text, sentence.tokens, tagged.tags, scheme, colours))
        sys.stdout.flush()


def describe(tagger: SequenceTagger) -> dict[str, str]:
    settings, network = tagger.settings, tagger.settings.network
    characters = f", {network.character_size} units over characters" if network.character_size else ""
    vocabularies = list(tagger.vocabularies.items())[: 2 if characters else 1]
    return {
        "network": f"embedding {network.embedding_size}{characters}, {network.describe()}{network.describe_ngrams()}",
        "tags": f"{len(tagger.tags)}, {settings.scheme}: {', '.join(tagger.tags)}",
        "tokens": {"char": "single characters", "word": "words"}[settings.tokens],
        "known": ", ".join(f"{len(vocabulary):,} {name}" for name, vocabulary in vocabularies),
        "columns": ", ".join(f"{role} {name!r}" for role, name in tagger.columns.items()) or "by default",
    }


def trace(tagger: SequenceTagger, options: Namespace) -> Trace:
    if options.file is None:
        return tagger.trace(given_text(options, "text"))
    file = given_file(options)
    sentences = (sentence for chunk in _sentences(tagger, options) for sentence in chunk)
    return tagger.trace([token.text for token in example_of(sentences, options.example, file).tokens])


def _sentences(tagger: SequenceTagger, options: Namespace) -> Iterator[list[_Sentence]]:
    from elman.tasks._tagger.files import read_sentences

    file, encoding = options.file, options.encoding
    columns = options.text or tagger.columns.get("text"), tagger.columns.get("label")
    is_text = file == "-" or (Path(file).suffix.lower() in TEXT_SUFFIXES and not _is_tagged(tagger, options))
    if is_text:
        with read_texts(file, "text", encoding) as (texts, is_ready):
            for batch in batches(texts, is_ready):
                yield [_Sentence(text, tagger.split(text), True) for text in batch]
        return
    read = read_sentences(file, *columns, encoding, tagged=False)
    of_tokens = (sentence.tokens for sentence in read)
    while chunk := list(islice(of_tokens, TEXTS_AT_ONCE)):
        yield [_Sentence(*joined(tokens, tagger.settings.tokens), False) for tokens in chunk]


def _is_tagged(tagger: SequenceTagger, options: Namespace) -> bool:
    """Whether a text file holds columns as those of training do: a token, and at the end a tag that the model knows."""
    from elman.tasks._decoding import decoded_lines
    from elman.tasks._reading import open_input
    from elman.tasks._tagger.columns import is_header

    with open_input(options.file) as stream:
        lines = islice(decoded_lines(stream, options.file, options.encoding), LINES_LOOKED_AT)
        rows = [fields for line in lines if (fields := line.split()) and not line.startswith(("#", "-DOCSTART-"))]
    known = set(tagger.tags)
    rows = rows[1:] if rows and is_header(rows[0]) else rows
    return bool(rows) and all(len(fields) == len(rows[0]) > 1 and fields[-1] in known for fields in rows)


def _record(sentence: _Sentence, tagged: Tagged, scheme: str) -> dict[str, Any]:
    record: dict[str, Any] = {"text": sentence.text} if sentence.is_raw else {}
    record |= {"tokens": [token.text for token in sentence.tokens], "tags": tagged.tags}
    if scheme == PLAIN:
        return record | {"probabilities": [_probability([logarithm]) for logarithm in tagged.logarithms.tolist()]}
    spans = []
    for type_, first, last in marked(tagged.tags, scheme):
        tokens = sentence.tokens[first:last]
        start, end = tokens[0].start, tokens[-1].end
        places = {"start": start, "end": end} if sentence.is_raw else {"start": first, "end": last}
        probability = _probability(tagged.logarithms[first:last].tolist())
        spans.append({"type": type_, "text": sentence.text[start:end], **places, "probability": probability})
    return record | {"spans": spans}


def _probability(logarithms: list[float]) -> float | None:
    total = math.fsum(logarithms)
    return round(math.exp(total), 6) if math.isfinite(total) else None  # NaN, of a model with NaN in it, is no JSON


def _write_columns(sentence: _Sentence, tagged: Tagged) -> None:
    for token, tag in zip(sentence.tokens, tagged.tags, strict=True):
        columns = [re.sub("[\t\r\n]", " ", column) for column in (token.text, tag)]
        print("\t".join(map(printable, columns) if sys.stdout.isatty() else columns))
    print()
