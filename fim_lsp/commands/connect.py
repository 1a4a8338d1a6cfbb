"""`fim-lsp connect`: joins an editor to a shared server."""

from __future__ import annotations

import argparse
from pathlib import Path

from fim_lsp.commands.options import host_and_port, is_host_and_port
from model_runtime.command_line import Commands, add_command


def add_parser(commands: Commands) -> None:
    """Adds the command `connect`."""
    parser = add_command(
        commands,
        "connect",
        run,
        help="join an editor to a shared server",
        description="The command to give an editor in place of fim-lsp: it joins the editor, on "
        "stdin and stdout, to the server that `fim-lsp serve --socket` or `--tcp` has started.",
    )
    parser.add_argument(
        "address",
        nargs="?",
        metavar="ADDRESS",
        help="path of a Unix socket, or HOST:PORT (default: where `serve --socket` listens)",
    )
    parser.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="the server's token, where it is not in this user's folder for running programs",
    )


def run(args: argparse.Namespace) -> int:
    """Passes bytes both ways until the editor or the server leaves; returns the exit code.

    Raises:
        UsageError: there is no port of that number.
        FimLspError: no server of this user answers there.
    """
    from fim_lsp.lsp import access, bridge, token

    address: str | None = args.address
    if address is None:
        return bridge.connect_to_socket(access.default_socket())
    if not is_host_and_port(address):
        return bridge.connect_to_socket(Path(address))
    host, port = host_and_port(address)
    return bridge.connect_to_tcp(host, port, args.token_file or token.token_file(port))
