"""Parts of the command lines of this project: commands and the options that many of them have."""

from __future__ import annotations

import argparse
import difflib
import textwrap
from collections.abc import Callable, Iterable
from typing import Any, NoReturn, TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""Takes the parsers of commands; argparse has no public name for it."""

_OPTION_COLUMNS = 30
"""Columns of an option with its value; a help of one line stands behind it."""


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Writes a help that fits a screen: a short usage, and choices in words.

    Descriptions are wrapped to the terminal, but those of several lines are kept as they are.
    """

    def __init__(self, prog: str, **options: Any) -> None:
        """Takes what argparse gives."""
        super().__init__(prog, **{"max_help_position": _OPTION_COLUMNS, **options})

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        formatter = argparse.RawDescriptionHelpFormatter if "\n" in text else argparse.HelpFormatter
        return formatter._fill_text(self, text, width, indent)

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)

    def _format_usage(self, usage: str | None, actions: Any, groups: Any, prefix: Any) -> str:
        if usage is None:
            positional = [action for action in actions if not action.option_strings]
            parts = [self._prog, "[OPTIONS]", *map(self._place, positional)]
            usage = " ".join(parts)
        return super()._format_usage(usage.replace("%", "%%"), actions, groups, prefix)

    def _place(self, action: argparse.Action) -> str:
        return self._format_args(action, self._get_default_metavar_for_positional(action))

    def _metavar_formatter(self, action: argparse.Action, default_metavar: str) -> Any:
        if action.choices is None or action.metavar is not None:
            return super()._metavar_formatter(action, default_metavar)
        name = (default_metavar or "").rpartition("_")[2]  # argparse asks with None to check
        return lambda size: (name,) * size

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.choices is None or action.metavar is not None:
            return action.help
        choices = ", ".join(map(str, action.choices))
        return f"{action.help}: {choices}" if action.help else choices


class Parser(argparse.ArgumentParser):
    """Parses the words of a program or of one of its commands.

    The arguments of a command come in any order, some before and some behind its options; argparse
    has `parse_intermixed_args` for programs, but nothing for their commands.  What is wrong is told
    in one line, with what was probably meant and where to read on.
    """

    _has_commands = False
    _is_inside = False

    def __init__(self, **options: Any) -> None:
        """Takes what argparse takes."""
        super().__init__(**{"formatter_class": HelpFormatter, **options})

    def add_subparsers(self, **options: Any) -> Commands:  # type: ignore[override]
        """Adds commands; a parser that has some leaves the mixing to theirs."""
        self._has_commands = True
        return super().add_subparsers(**{"prog": self.prog, **options})

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parses what a program or command was given, as argparse does; ends where words are left.

        A command knows its own options, so it can tell which was meant; its program cannot.
        """
        if self._is_inside:  # argparse calls this function for both passes
            return super().parse_known_args(args, namespace)
        if self._has_commands:
            found, unknown = super().parse_known_args(args, namespace)
        else:
            self._is_inside = True
            try:
                found, unknown = self.parse_known_intermixed_args(args, namespace)
            finally:
                self._is_inside = False
        if unknown:
            self.error(self._told(unknown[0]))
        return found, unknown

    def error(self, message: str) -> NoReturn:
        """Ends the program with what is wrong, in one line."""
        self.exit(2, f"{self.prog}: {message} (see: {self.prog} --help)\n")

    def _told(self, unknown: str) -> str:
        if not unknown.startswith("-"):
            return f"{unknown!r} is one argument too many"
        option = unknown.partition("=")[0]
        return f"there is no option {option}" + meant(option, self._option_string_actions)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        if isinstance(action, argparse._SubParsersAction):
            told = f"there is no command {value!r}" + meant(value, action.choices)
            raise argparse.ArgumentError(None, told)
        choices = ", ".join(map(str, action.choices))
        told = f"invalid choice {value!r}, not one of {choices}" + meant(value, action.choices)
        raise argparse.ArgumentError(action, told)


def meant(word: str, known: Iterable[str]) -> str:
    """Returns which of the known words was probably meant; empty where none is near.

    >>> meant("compleet", ["complete", "connect"])
    '; did you mean complete?'
    >>> meant("quux", ["complete", "connect"])
    ''
    """
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def add_command(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    *,
    help: str,
    description: str | None = None,
    examples: str | None = None,
) -> argparse.ArgumentParser:
    """Adds a command to those of a program.

    Args:
        commands: those of the program.
        name: of the command.
        run: takes the parsed arguments, where it is found as `run`; returns the exit code.
        help: a line for the list of commands.
        description: sentences for the command's own `--help`; a text of several lines keeps them.
        examples: lines to be shown below the options.

    Returns:
        The command's parser, which has no options yet.
    """
    parser = commands.add_parser(
        name,
        help=help,
        description=description,
        epilog=f"examples:\n{examples}" if examples else None,
    )
    parser.set_defaults(run=run)
    return parser


def add_commands(parser: argparse.ArgumentParser, *, title: str, metavar: str) -> Commands:
    """Lets a program, or a command, have commands; without one its help is shown.

    Args:
        parser: of the program or the command.
        title: heads the list of the commands.
        metavar: stands for a command in the usage.

    Returns:
        The commands, of which there are none yet.
    """

    def show_help(_: argparse.Namespace) -> int:
        parser.print_help()
        return 0

    parser.set_defaults(run=show_help)
    return parser.add_subparsers(title=title, metavar=metavar)


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Adds `--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON for a program")
