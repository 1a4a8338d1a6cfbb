"""`fim-runtime models use`: chooses the model that editors use."""

from __future__ import annotations

import argparse

from model_runtime.command_line import Commands, add_command


def add_parser(actions: Commands) -> None:
    """Adds the action `use`."""
    parser = add_command(
        actions,
        "use",
        run,
        help="choose the model that editors use",
        description="Remembers the model for every editor whose setting `model` is `auto`, as it "
        "is by default.  Editors that run take it within seconds.",
    )
    parser.add_argument(
        "name",
        metavar="NAME",
        help="a name from `models list`; `default` goes back to the embedded model",
    )


def run(args: argparse.Namespace) -> int:
    """Chooses a model; returns the exit code.

    Raises:
        ModelNotFound: no model has the name, or it is a path.
        BundleError: the model cannot be used; the one that was chosen before stays.
        ConversionError: the choice cannot be written down.
    """
    from model_runtime.store import choice, installed

    name = choice.resolved(args.name)
    installed.find(name)
    choice.choose_model(name)
    print(f"editors use {name} from now on")
    return 0
