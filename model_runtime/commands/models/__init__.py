"""`fim-runtime models`: lists, describes, adds, removes, exports and packs models; one module each.

The modules import nothing heavy until their `run` is called.
"""

from __future__ import annotations

from model_runtime.command_line import Commands
from model_runtime.commands.models import (
    add,
    available,
    export,
    info,
    listing,
    remove,
    sign,
    wheel,
)


def add_parser(commands: Commands) -> None:
    """Adds the command `models` with its actions."""
    parser = commands.add_parser(
        "models", help="list, describe, add, remove, export and pack models"
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for action in (listing, available, info, add, remove, sign, export, wheel):
        action.add_parser(actions)
