"""``elman train tag``."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from elman.cli._options import add_options
from elman.cli._parser import Commands, add_command
from elman.cli._training import NEEDS, Data, add_files, add_running, train
from elman.tasks._tagger.options import TaggerOptions

if TYPE_CHECKING:
    from elman.tasks._tagger.files import Sentence

__all__ = ["add_tag", "tag"]

NEXT = ("elman evaluate {model} test.conll", "elman predict {model} input.txt", "elman info {model}")


def add_tag(commands: Commands) -> None:
    summary = "Train a sequence tagger on a file of tokens with tags: entities, parts of speech, punctuation."
    parser = add_command(commands, "tag", summary, tag, NEEDS)
    contents = "Sentences with tags: columns (.conll, .txt, .bio, .iob2, .tsv), .conllu or .jsonl"
    parser.arguments.add_argument("file", metavar="FILE", type=Path, help=contents)
    add_files(parser.group("Data"))
    add = parser.group("Data").add_argument
    of_tokens, of_tags = "the first, FORM or 'tokens'", "the last, UPOS or 'tags'"
    add("--text", metavar="COLUMN", help=f"Number, name or key of the tokens (default: {of_tokens})")
    add("--label", metavar="COLUMN", help=f"Number, name or key of the tags (default: {of_tags})")
    add_options(parser, TaggerOptions)
    add_running(parser.group("Running"))


def tag(options: Namespace) -> int:
    return train(options, "SequenceTagger", TaggerOptions, lambda: _read(options), NEXT)


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
