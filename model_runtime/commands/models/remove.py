"""`fim-runtime models remove`: deletes an added model."""

from __future__ import annotations

import argparse

from model_runtime.command_line import Commands, add_command
from model_runtime.printable import printable, shown_bytes


def add_parser(actions: Commands) -> None:
    """Adds the action `remove`."""
    parser = add_command(
        actions,
        "remove",
        run,
        help="delete a model that was added",
        description="Deletes the files of a model from the user's models folder, and what engines "
        "have derived from them.  The model that comes with the program stays, and so do models "
        "elsewhere.  Of a model that came as pip packages the derived files are deleted, and you "
        "are told how pip removes the rest.",
    )
    parser.add_argument("name", metavar="NAME", help="a name from `models list`")


def run(args: argparse.Namespace) -> int:
    """Removes a model and prints what that frees; returns the exit code, 1 if pip has to go on.

    Raises:
        ModelNotFound: no added model has the name.
        ConversionError: its files cannot be deleted.
    """
    from model_runtime.store import removal

    done = removal.remove_model(args.name)
    freed = shown_bytes(done.bundle_bytes + done.cached_bytes)
    cached = f"{shown_bytes(done.cached_bytes)} of engines' files in the cache"
    if done.folder is None:
        print(f"{done.name} came as pip packages, which pip must remove; {cached} are freed; run:")
        print(printable(f"  pip uninstall {' '.join(done.uninstall)}"))
        return 1
    print(
        printable(f"{done.name} is removed from {done.folder}; that frees {freed}, with {cached}")
    )
    return 0
