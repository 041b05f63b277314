"""``elman generate``."""

import sys
from argparse import Namespace
from itertools import chain

from elman._errors import about
from elman.cli._arguments import add_model, integer, number
from elman.cli._parser import Commands, add_command
from elman.cli._texts import standard_input, use_utf_8
from elman.cli._wording import printable

__all__ = ["add_generate", "generate"]


def add_generate(commands: Commands) -> None:
    parser = add_command(commands, "generate", "Let a language model go on with a text.", generate)
    add_model(parser.arguments, "The folder of a language model")
    parser.advice = "; what to go on with follows --prompt"
    add = parser.options.add_argument
    add("--prompt", metavar="TEXT", default="", help="What to go on with, - for standard input")
    add("--length", metavar="N", type=integer, default=200, help="Tokens to draw")
    add("--temperature", metavar="T", type=number, default=1.0, help="Below 1 the likely is likelier; 0: the likeliest")
    add("--top-k", metavar="N", type=integer, help="Draw among so many of the likeliest")
    add("--top-p", metavar="P", type=number, help="Draw among the likeliest that reach this probability")
    add("--seed", metavar="N", type=integer, default=0, help="Seed of the draws: with the same one the same text")


def generate(options: Namespace) -> None:
    from elman.runtime import LanguageModel

    model = LanguageModel.load(options.model)
    prompt = standard_input() if options.prompt == "-" else options.prompt
    use_utf_8()
    seen = sys.stdout.isatty()  # by a person: a stranger's model may not command the terminal
    with about(options.model):
        pieces = model.generate(
            prompt,
            options.length,
            temperature=options.temperature,
            top_k=options.top_k,
            top_p=options.top_p,
            seed=options.seed,
        )
        for piece in chain([prompt], pieces):
            print(_visible(piece) if seen else piece, end="", flush=True)
    print()


def _visible(text: str) -> str:
    return "".join(character if character in "\n\t" else printable(character) for character in text)
