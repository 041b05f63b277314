"""The parser of every command: help that reads well, and usage errors in one line."""

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NoReturn, TypeAlias

from elman._extras import Extra
from elman.cli._wording import closest, reword

__all__ = ["Commands", "Group", "Parser", "add_command"]

Commands: TypeAlias = "argparse._SubParsersAction[Parser]"
Group: TypeAlias = argparse._ArgumentGroup


class Parser(argparse.ArgumentParser):
    """Refuses wrong words in one line: the command, what was expected, what came.

    Attributes:
        advice: the end of the refusal of an argument too many, after a semicolon.
    """

    advice = ""

    def __init__(self, **settings: Any) -> None:
        style = {"formatter_class": _Formatter, "add_help": False, "allow_abbrev": False, "exit_on_error": False}
        super().__init__(**{**settings, **style})
        self.arguments = self.add_argument_group("Arguments")
        self.options = self.add_argument_group("Options")
        self.options.add_argument("-h", "--help", action="help", help="Show this message and exit")
        self.set_defaults(run=self._ask_for_command, needs=None)

    def add_commands(self, dest: str) -> Commands:
        """Let a command follow, whose name the namespace keeps as ``dest``."""
        return self.add_subparsers(title="Commands", metavar="COMMAND", dest=dest, prog=self.prog)

    def group(self, title: str) -> Group:
        """Return the group of options that has a title, a new one if none has."""
        known = {group.title: group for group in self._action_groups}
        return known.get(title) or self.add_argument_group(title)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        self._check_options(args or ())
        try:
            found, surplus = super().parse_known_args(args, namespace)
        except argparse.ArgumentError as error:
            place = f"{error.argument_name}: " if error.argument_name else ""
            self.error(place + reword(error.message))
        for action in self._get_positional_actions():  # argparse forgets one that may be left out if options precede it
            if action.nargs == "?" and getattr(found, action.dest) is None and surplus:
                surplus = [word for word in surplus if word != "--"]
                setattr(found, action.dest, surplus.pop(0))
        if surplus:
            self.error(f"expected no more arguments, got {surplus[0]!r}{self.advice}")
        return found, surplus

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {' '.join(reword(message).splitlines())}\n")

    def _check_options(self, words: Sequence[str]) -> None:
        """Refuse an unknown option before argparse speaks of all else."""
        known = self._option_string_actions
        for word in words:
            if word == "--" or (self._subparsers and not word.startswith("-")):
                return  # the rest is values, or for a command to judge
            name = word.partition("=")[0]
            if _looks_like_option(name) and name not in known:
                self.error(f"expected one of the options that --help lists, got {name!r}{closest(name, known)}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse an unknown command, the one thing here that is chosen among names."""
        if action.choices is not None and value not in action.choices:
            names = ", ".join(action.choices)
            self.error(f"expected a command ({names}), got {value!r}{closest(value, action.choices)}")

    def _ask_for_command(self, options: argparse.Namespace) -> int:
        self.print_help()
        return 2


def add_command(
    commands: Commands,
    name: str,
    summary: str,
    run: Callable[[argparse.Namespace], int | None] | None = None,
    needs: Extra | None = None,
) -> Parser:
    """Add a command and return its parser.

    Args:
        commands: of the program or of a command above.
        name: what a person types.
        summary: a sentence for the help.
        run: takes the parsed options and returns the exit code, or ``None`` for 0. Without it, commands follow.
        needs: the packages that it cannot do without and the base install lacks.
    """
    parser = commands.add_parser(name, help=summary, description=summary)
    if run:
        parser.set_defaults(run=run, needs=needs)
    return parser


def _looks_like_option(word: str) -> bool:
    """Whether argparse takes a word for an option, not for a value such as -3."""
    return word.startswith("-") and word != "-" and " " not in word and word[1] not in "0123456789."


class _Formatter(argparse.ArgumentDefaultsHelpFormatter):
    """Short usage, defaults where there are any, commands in line with options."""

    def __init__(self, prog: str, **settings: Any) -> None:
        super().__init__(prog, **{"max_help_position": 30} | settings)

    def add_usage(self, usage: str | None, actions: Iterable[argparse.Action], *rest: Any, **named: Any) -> None:
        words = [_usage(action) for action in actions if action.required or not action.option_strings]
        super().add_usage(" ".join(["%(prog)s", *words, "[OPTIONS]"]), (), (), "Usage: ")

    def _get_help_string(self, action: argparse.Action) -> str | None:
        is_said = action.default in (None, "") or action.default is False or "(default: " in (action.help or "")
        return action.help if is_said else super()._get_help_string(action)

    def _format_action(self, action: argparse.Action) -> str:
        text = super()._format_action(action)
        if action.nargs == argparse.PARSER:  # the list of commands: its first line is the metavar alone
            return text.partition("\n")[2]
        return text

    def _iter_indented_subactions(self, action: argparse.Action) -> Iterator[argparse.Action]:  # type: ignore[override]
        yield from getattr(action, "_get_subactions", tuple)()


def _usage(action: argparse.Action) -> str:
    words = " ".join([*action.option_strings[:1], str(action.metavar)])
    return f"[{words}]" if action.nargs == argparse.OPTIONAL else words
