"""`fim-runtime models`: what can be done with models; one module for each action.

The modules import nothing heavy until their `run` is called.
"""

from __future__ import annotations

from model_runtime.command_line import Commands, add_commands
from model_runtime.commands.models import (
    add,
    available,
    export,
    info,
    listing,
    remove,
    sign,
    use,
    wheel,
)


def add_parser(commands: Commands) -> None:
    """Adds the command `models` with its actions."""
    parser = commands.add_parser(
        "models", help="list, describe, add, choose, remove, export and pack models"
    )
    actions = add_commands(parser, title="actions", metavar="ACTION")
    for action in (listing, available, info, add, use, remove, sign, export, wheel):
        action.add_parser(actions)
