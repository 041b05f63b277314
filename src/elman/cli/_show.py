"""``elman show``."""

from argparse import Namespace
from pathlib import Path

from elman.cli._arguments import add_encoding, add_model, add_notation, add_threads, integer, use_threads
from elman.cli._outputs import require_places
from elman.cli._parser import Commands, add_command
from elman.cli.kinds import NOTATION, check_options, load_model

__all__ = ["add_show", "show"]


def add_show(commands: Commands) -> None:
    summary = "Write a page that steps through a text or a series: what each unit does, what the model believes."
    parser = add_command(commands, "show", summary, show)
    add_model(parser.arguments)
    given = "A text, - for standard input; a file for models of numbers (default: a forecaster's own series)"
    parser.arguments.add_argument("text", metavar="TEXT", nargs="?", help=given)
    add = parser.options.add_argument
    add("--out", metavar="FILE", type=Path, required=True, help="Page to write, for any browser (required)")
    add("--file", metavar="FILE", help="Take the text from a file, as predict reads it")
    add("--example", metavar="N", type=integer, help="Which of the file's texts or sequences (default: 1)")
    add("--overwrite", action="store_true", help="Replace the page")
    add_encoding(parser.options, "file")
    add_notation(parser.options)
    add_threads(parser.options)


def show(options: Namespace) -> None:
    require_places((options.out,), options.overwrite)
    use_threads(options.threads)
    model, module = load_model(options.model)
    check_options(module, options, NOTATION)
    trace = module.trace(model, options)
    trace.save_html(options.out, f"{options.model.resolve().name}: {trace.kind}", overwrite=options.overwrite)
    count = len(trace.read)
    print(f"{options.out}: {count:,} step{'' if count == 1 else 's'}; open it in a browser")
