"""Parts of the command lines of this project: commands and the options that many of them have."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""Takes the parsers of commands; argparse has no public name for it."""


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Wraps descriptions to the terminal, but those of several lines are kept as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        formatter = argparse.RawDescriptionHelpFormatter if "\n" in text else argparse.HelpFormatter
        return formatter._fill_text(self, text, width, indent)


class IntermixingParser(argparse.ArgumentParser):
    """Takes the arguments of a command in any order, some before and some behind its options.

    argparse has `parse_intermixed_args` for programs, but nothing for their commands.
    """

    _is_plain = False

    def add_subparsers(self, **options: Any) -> Commands:  # type: ignore[override]
        """Adds commands; a parser that has some leaves the mixing to theirs."""
        self._is_plain = True
        return super().add_subparsers(**options)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parses what a program or command was given, as argparse does."""
        if self._is_plain:
            return super().parse_known_args(args, namespace)
        self._is_plain = True  # argparse calls this function for both passes
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_plain = False


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
        formatter_class=HelpFormatter,
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
