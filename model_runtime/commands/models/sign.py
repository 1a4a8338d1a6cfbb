"""`fim-runtime models sign`: confirms a manifest that was changed by hand."""

from __future__ import annotations

import argparse

from model_runtime.command_line import Commands, add_command


def add_parser(actions: Commands) -> None:
    """Adds the action `sign`."""
    parser = add_command(
        actions,
        "sign",
        run,
        help="confirm a manifest.json that you have changed by hand",
        description="A manifest holds a hash of its content, so that damage is noticed.  After a "
        "change by hand this writes the hash anew.",
    )
    parser.add_argument("name", metavar="NAME", help="a name from `models list`, or a folder")


def run(args: argparse.Namespace) -> int:
    """Signs the manifest of a model; returns the exit code.

    Raises:
        ModelRuntimeError: there is no such model, or its manifest cannot be used or written.
    """
    from model_runtime.store import installed

    print(f"the manifest of {installed.sign(args.name).name} is signed")
    return 0
