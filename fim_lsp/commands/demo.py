"""`fim-lsp demo`: a tour of the completions in a terminal, and the lines for the editors here."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from fim_lsp.commands.options import add_model_options, checked, model_settings
from model_runtime.command_line import Commands, add_command

if TYPE_CHECKING:
    from rich.console import Console

_EXAMPLES = """\
  fim-lsp demo                 type with completions, in this terminal
  fim-lsp demo --plain         as text, for screen readers and pipes
  fim-lsp demo --model NAME    with another model"""


def add_parser(commands: Commands) -> None:
    """Adds the command `demo`."""
    parser = add_command(
        commands,
        "demo",
        run,
        help="try it here: two minutes in this terminal, then the lines for your editor",
        description="Take a tour: a file is typed, you take suggestions, a word of one, or none; "
        "it shows why it is silent, and what to do for the editors on this machine.  It asks the "
        "language server as editors do, in a folder of its own that is removed at the end.",
        examples=_EXAMPLES,
    )
    parser.add_argument(
        "--plain",
        action="store_true",
        help="print the tour line by line, without keys; so it is where no terminal is",
    )
    parser.add_argument(
        "--no-motion", action="store_true", help="let text appear at once, not key by key"
    )
    add_model_options(parser)


def run(args: argparse.Namespace) -> int:
    """Shows the tour, then what to do for the editors here; returns the exit code.

    Raises:
        UsageError: the options make no sense.
        FimLspError: the server or its model does not work.
    """
    import asyncio

    from rich.console import Console

    from fim_lsp.commands.next_steps import print_next_steps
    from fim_lsp.tour import start

    settings = model_settings(args)
    checked(settings)
    console = Console(highlight=False)
    tally: start.Tally | None
    if args.plain or not _has_keys(console):
        tally = asyncio.run(start.print_tour(settings, console))
    else:
        tally = asyncio.run(start.show_tour(settings, console, has_motion=not args.no_motion))
    if tally is not None:
        console.print(
            f"{tally.model} on {tally.engine}, ready after {tally.ready_seconds:.1f} s: "
            f"{tally.keys} keys for {tally.characters} characters.",
            soft_wrap=True,
        )
    print_next_steps(Console(stderr=True, highlight=False))
    return 0


def _has_keys(console: Console) -> bool:
    """Tells whether this is a terminal that the tour can be drawn on and that has keys."""
    from fim_lsp.tour.screen import MIN_HEIGHT, MIN_WIDTH

    try:
        import termios  # noqa: F401
    except ImportError:  # Windows
        return False
    is_terminal = sys.stdin.isatty() and console.is_terminal and not console.is_dumb_terminal
    return is_terminal and console.width >= MIN_WIDTH and console.height >= MIN_HEIGHT
