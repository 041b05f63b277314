"""``elman train language``."""

from argparse import Namespace
from pathlib import Path

from elman.cli._options import add_options
from elman.cli._parser import Commands, add_command
from elman.cli._training import NEEDS, Data, add_files, add_running, train
from elman.tasks._language.options import LanguageOptions

__all__ = ["add_language", "language"]

NEXT = (
    "elman generate {model} --length 200 --temperature 0.8",
    "elman evaluate {model} test.txt",
    "elman info {model}",
)


def add_language(commands: Commands) -> None:
    summary = "Train a language model on a text, which may be larger than memory."
    parser = add_command(commands, "language", summary, language, NEEDS)
    parser.arguments.add_argument("file", metavar="FILE", type=Path, help="The text")
    add_files(parser.group("Data"))
    add_options(parser, LanguageOptions)
    add_running(parser.group("Running"))


def language(options: Namespace) -> int:
    return train(options, "LanguageModel", LanguageOptions, lambda: _read(options), NEXT)


def _read(options: Namespace) -> Data:
    from elman.tasks._language.texts import blocks, read_corpus

    held = options.validation
    if isinstance(held, Path):
        held = blocks(held, options.encoding)
    folder = next(folder for folder in options.out.absolute().parents if folder.is_dir())
    named = {"encoding": options.encoding, "folder": folder}
    return Data((read_corpus(options.file, held, options.tokens, options.window, **named),))
