"""The command reference, written from the parsers where a page says ``<!-- commands -->``."""

from argparse import SUPPRESS, Action, _SubParsersAction
from collections.abc import Iterator
from typing import Any

from sphinx.application import Sphinx

from elman.cli._app import build_parser
from elman.cli._parser import Parser

__all__ = ["setup"]

PLACE = "<!-- commands -->"


def commands(parser: Parser) -> Iterator[Parser]:
    """Every command that does something itself."""
    below = [action for action in parser._actions if isinstance(action, _SubParsersAction)]
    for action in below:
        for command in action.choices.values():
            yield from commands(command)
    if not below:
        yield parser


def describe(parser: Parser) -> Iterator[str]:
    """The lines of a command's section."""
    yield f"## {parser.prog}\n\n{parser.description}\n"
    usage = parser.format_help().partition("\n\n")[0].removeprefix("Usage: ")
    yield f"```text\n{usage}\n```\n\n```{{program}} {parser.prog}\n```\n"
    for group in parser._action_groups:
        described = [action for action in group._group_actions if action.help not in (SUPPRESS, None)]
        if described:
            yield f"**{group.title}**\n"
            yield from map(_option, described)


def _option(action: Action) -> str:
    metavar = action.metavar if isinstance(action.metavar, str) else ""
    names = ", ".join(action.option_strings)
    spelling = f"{names} {metavar}".strip() if action.nargs != 0 else names
    help = " ".join((action.help or "").split()) % {**vars(action), "prog": "elman"}
    shown = action.default not in (None, False, SUPPRESS) and "(default" not in help
    return f"````{{option}} {spelling}\n{_escape(help)}{f' (default: {action.default})' if shown else ''}\n````\n"


def _escape(text: str) -> str:
    return "".join(f"\\{character}" if character in "*_<>`[]{}$" else character for character in text)


def write(app: Sphinx, page: str, source: list[str]) -> None:
    if PLACE in source[0]:
        text = "\n".join(line for command in commands(build_parser()) for line in describe(command))
        source[0] = source[0].replace(PLACE, text)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("source-read", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
