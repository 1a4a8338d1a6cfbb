"""Says what comes after the demo: an installation that stays, the editors here, a better model."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console

from fim_lsp.commands.known_editors import editors_here


def print_next_steps(console: Console) -> None:
    """Prints the lines for each editor on this machine, and what else there is to do."""
    console.print()
    editors = editors_here()
    for editor in editors:
        if editor.before:
            console.print(f"{editor.title}: {editor.before}", markup=False, soft_wrap=True)
        console.print(f"{editor.title}: add to {editor.place}:\n", markup=False, soft_wrap=True)
        console.print(editor.text(), markup=False, soft_wrap=True)
        if editor.is_code:
            console.print(f"fim-lsp setup {editor.name} --write adds them for you.\n")
    if not editors:
        console.print("No editor was found on PATH; fim-lsp setup lists those it has lines for.")
    if is_temporary():
        console.print("This installation is temporary; keep it first: uv tool install fim-lsp")
    console.print("Other editors: fim-lsp setup.  A better model for this machine: fim-lsp doctor.")


def is_temporary() -> bool:
    """Tells whether this Python lies in a cache, as that of `uvx` and `pipx run` does.

    A cache has the file CACHEDIR.TAG (https://bford.info/cachedir/); virtual environments may have
    one as well, so only the folders above count.
    """
    return any((folder / "CACHEDIR.TAG").exists() for folder in Path(sys.prefix).resolve().parents)
