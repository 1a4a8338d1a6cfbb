"""`fim-runtime models remove`: deletes an added model."""

from __future__ import annotations

import argparse

from model_runtime.command_line import Commands, add_command


def add_parser(actions: Commands) -> None:
    """Adds the action `remove`."""
    parser = add_command(
        actions,
        "remove",
        run,
        help="delete a model that was added",
        description="Deletes the files of a model from the user's models folder.  The model that "
        "comes with the program stays, and so do models elsewhere.",
    )
    parser.add_argument("name", metavar="NAME", help="a name from `models list`")


def run(args: argparse.Namespace) -> int:
    """Removes a model; returns the exit code.

    Raises:
        ModelNotFound: no added model has the name.
        ConversionError: its files cannot be deleted.
    """
    from model_runtime.store import installed

    print(f"{args.name} is removed from {installed.remove_model(args.name)}")
    return 0
