"""``elman train tag``."""

import sys
from argparse import BooleanOptionalAction, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from elman.cli._arguments import integer
from elman.cli._parser import Commands, add_command
from elman.cli._training import (
    NEEDS,
    Data,
    add_directions,
    add_files,
    add_network,
    add_running,
    add_training,
    train,
)

if TYPE_CHECKING:
    from elman.tasks._tagger.files import Sentence

__all__ = ["add_tag", "tag"]

NEXT = ("elman evaluate {model} test.conll", "elman predict {model} input.txt", "elman info {model}")


def add_tag(commands: Commands) -> None:
    summary = "Train a sequence tagger on a file of tokens with tags: entities, parts of speech, punctuation."
    parser = add_command(commands, "tag", summary, tag, NEEDS)
    kinds = "Sentences with tags: columns (.conll, .txt, .bio, .iob2, .tsv), .conllu or .jsonl"
    parser.arguments.add_argument("file", metavar="FILE", type=Path, help=kinds)
    data = parser.add_argument_group("Data")
    add_files(data, "Part to measure, and of 500 sentences or more to choose the best epoch by")
    of_tokens, of_tags = "the first, FORM or 'tokens'", "the last, UPOS or 'tags'"
    data.add_argument("--text", metavar="COLUMN", help=f"Number, name or key of the tokens (default: {of_tokens})")
    data.add_argument("--label", metavar="COLUMN", help=f"Number, name or key of the tags (default: {of_tags})")
    repair = "Repair ill-formed tags in place of refusing them"
    data.add_argument("--repair-tags", action=BooleanOptionalAction, default=False, help=repair)
    network = parser.add_argument_group("Network")
    add_network(network, hidden_size=128, embedding_size=128, dropout=0.4)
    of_characters = "Units that read a word's characters; 0: none"
    network.add_argument("--character-size", metavar="N", type=integer, default=32, help=of_characters)
    add_directions(network)
    training = parser.add_argument_group("Training")
    epochs, batch_size = (
        "Times the sentences are read (default: 5 to 40, by the data's size)",
        "Of sentences (default: 4 to 64, by the data's size)",
    )
    add_training(training, learning_rate=3e-3, epochs=epochs, batch_size=batch_size)
    add_running(parser.add_argument_group("Running"))


def tag(options: Namespace) -> int:
    return train(options, "SequenceTagger", lambda: _read(options), NEXT)


def _read(options: Namespace) -> Data:
    from elman.runtime._tagger.tags import detect_scheme

    sentences, tags = _sentences(options.file, options)
    scheme = detect_scheme(tags)
    known = _check(options.file, sentences, scheme, options)
    validation = None
    if isinstance(options.validation, Path):
        held, held_tags = _sentences(options.validation, options)
        _check(options.validation, held, scheme, options, known)
        validation = [sentence.tokens for sentence in held], held_tags
    columns = {role: name for role, name in (("text", options.text), ("label", options.label)) if name}
    return Data(([sentence.tokens for sentence in sentences], tags), {"validation": validation}, columns)


def _sentences(file: Path, options: Namespace) -> "tuple[list[Sentence], list[list[str]]]":
    from elman.tasks._tagger.files import read_sentences

    sentences = list(read_sentences(file, options.text, options.label, options.encoding, notice=_say))
    return sentences, [sentence.tags for sentence in sentences]


def _say(text: str) -> None:
    from elman.tasks._processes import is_main_process

    if is_main_process():
        print(text, file=sys.stderr)


def _check(
    file: Path, sentences: "list[Sentence]", scheme: str, options: Namespace, known: "set[str] | None" = None
) -> set[str]:
    """Return the tags of a file; what the tagger would refuse is refused here, with the line it stands on."""
    from elman.runtime._tagger.tags import OUTSIDE, PLAIN
    from elman.tasks import InputError
    from elman.tasks._tagger.sound_tags import sound_tags

    def place(sentence: int, token: int) -> str:
        return f"{file}, {sentences[sentence].place(token)}"

    tags = [sentence.tags for sentence in sentences]
    sound, _ = sound_tags(tags, scheme, repair=options.repair_tags, place=place, known=known)
    found = {tag for sentence in sound for tag in sentence}
    if scheme != PLAIN:
        return found | {OUTSIDE}
    if len(found) < 2 and known is None:
        raise InputError(f"{file}: expected two different tags or more, all are {found.pop()!r}")
    return found
