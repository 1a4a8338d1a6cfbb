"""`fim-lsp setup`: shows, or adds, the lines by which an editor uses this server."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from fim_lsp.errors import UsageError
from model_runtime.command_line import Commands, add_command, meant

if TYPE_CHECKING:
    from fim_lsp.commands.known_editors import KnownEditor

_EXAMPLES = """\
  fim-lsp setup                    which editors are here
  fim-lsp setup neovim             the lines for one, and where they go
  fim-lsp setup neovim --write     add them; what the file was is kept beside it"""


def add_parser(commands: Commands) -> None:
    """Adds the command `setup`."""
    parser = add_command(
        commands,
        "setup",
        run,
        help="the lines that an editor needs, or add them to its configuration",
        description="Print what to add to the configuration of an editor, so that it uses this "
        "installation of fim-lsp.  Without a name, tell which editors are on this machine.",
        examples=_EXAMPLES,
    )
    parser.add_argument("editor", nargs="?", metavar="EDITOR", help="name of an editor")
    parser.add_argument(
        "--write",
        action="store_true",
        help="add the lines to the end of its configuration, where that is a program (Neovim, "
        "Emacs), after a copy of it was made",
    )


def run(args: argparse.Namespace) -> int:
    """Prints or adds the lines; returns the exit code.

    Raises:
        UsageError: there is no such editor, or its lines cannot be added by a program.
        FimLspError: the configuration names fim-lsp already, or cannot be written.
    """
    from fim_lsp.commands.known_editors import EDITORS

    by_name = {editor.name: editor for editor in EDITORS}
    if args.editor is None:
        if args.write:
            raise UsageError(
                "setup --write needs the name of an editor, as in: setup neovim --write"
            )
        _list()
        return 0
    if args.editor not in by_name:
        told = f"{args.editor!r} is not one of {', '.join(by_name)}"
        raise UsageError(told + meant(args.editor, by_name))
    editor = by_name[args.editor]
    if args.write:
        _write(editor)
    else:
        _show(editor)
    return 0


def _list() -> None:
    from rich.console import Console
    from rich.table import Table

    from fim_lsp.commands.known_editors import EDITORS

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("for its lines", "editor", "on this machine"):
        table.add_column(heading)
    for editor in sorted(EDITORS, key=lambda one: one.program is None):
        where = editor.program or "[dim]not found[/]"
        table.add_row(f"fim-lsp setup {editor.name}", editor.title, where)
    console = Console(highlight=False)
    console.print(table)
    console.print("\nAny other editor: docs/editors.md; clients that speak HTTP: docs/clients.md.")


def _show(editor: KnownEditor) -> None:
    """Prints the lines to standard output, and what to do with them to standard error."""
    if editor.before:
        print(f"{editor.before}\n", file=sys.stderr)
    print(f"Add to {editor.place}:\n", file=sys.stderr, flush=True)
    print(editor.text(), end="", flush=True)
    print(f"\n{editor.after}", file=sys.stderr)
    if editor.is_code:
        print(f"fim-lsp setup {editor.name} --write adds them for you.", file=sys.stderr)


def _write(editor: KnownEditor) -> None:
    from fim_lsp.commands.known_editors import add_lines

    if not editor.is_code or editor.file is None:
        raise UsageError(
            f"the lines for {editor.title} go between others, so add them by hand: "
            f"fim-lsp setup {editor.name}"
        )
    copy = add_lines(editor.file, editor.text())
    if editor.before:
        print(editor.before)
    print(f"{editor.file} has the lines" + (f"; what it was is in {copy}" if copy else ""))
    print(editor.after)
