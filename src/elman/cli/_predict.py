"""``elman predict``."""

import os
import re
import shlex
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager

from elman._errors import LONGEST_NAME, InputError
from elman.cli._arguments import add_encoding, add_known_column, add_model, add_notation, add_threads, use_threads
from elman.cli._parser import Commands, add_command
from elman.cli._texts import use_utf_8
from elman.cli.kinds import check_options, load_model

__all__ = ["add_predict", "predict"]


def add_predict(commands: Commands) -> None:
    parser = add_command(commands, "predict", "Predict with a model: labels, tags, or what comes next.", predict)
    add_model(parser.arguments)
    kinds = "What to predict for: of texts one a line, - for standard input, or a table"
    parser.arguments.add_argument("file", metavar="FILE", help=kinds)
    add_known_column(parser.options, "text")
    parser.options.add_argument("--format", metavar="NAME", help="Format of the output: jsonl (default), tsv, conll, …")
    add_encoding(parser.options, "input")
    add_notation(parser.options)
    add_threads(parser.options)


def predict(options: Namespace) -> None:
    use_threads(options.threads)
    model, module = load_model(options.model)
    check_options(module, options)
    use_utf_8()
    with _hinting(options, of_texts="text" in module.OPTIONS):
        module.predict(model, options)


@contextmanager
def _hinting(options: Namespace, *, of_texts: bool) -> Iterator[None]:
    """Say how to hand over a text itself, where one was given in the place of a file."""
    try:
        yield
    except InputError as error:
        named = re.fullmatch(r"\S*\.\w{1,7}", options.file)  # as files are
        if not of_texts or named or options.file == "-" or os.path.exists(options.file):
            raise
        text = shlex.quote(options.file) if len(options.file) <= LONGEST_NAME else "TEXT"
        way = f"echo {text} | elman predict {shlex.quote(str(options.model))} -"
        raise InputError(f"{error}; for a text itself: {way}") from None
