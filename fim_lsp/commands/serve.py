"""`fim-lsp serve`: runs the language server for one editor, or for several with one model."""

from __future__ import annotations

import argparse
import gc
import sys
from pathlib import Path

from fim_lsp.commands.options import (
    add_model_options,
    checked,
    choices_of,
    host_and_port,
    model_settings,
)
from fim_lsp.errors import UsageError
from model_runtime.command_line import Commands
from model_runtime.store.names import AUTO

SWITCH_SECONDS = 0.001
"""So long may the engine's thread keep Python's lock when the event loop wants it.

Python's own 5 ms were the longest silence of the loop (`benchmarks/event_loop`).
"""

_SHARED_OPTIONS = ("model", "engine", "device", "threads", "prompt_memory_mb",
                   "unload_after_minutes")  # fmt: skip
"""Only a server that several editors share takes these options; elsewhere they are refused."""


def add_parser(commands: Commands) -> None:
    """Adds the command `serve`."""
    parser = commands.add_parser(
        "serve",
        help="run the language server (the default)",
        # A default here would overwrite what stood before the command's name.
        argument_default=argparse.SUPPRESS,
    )
    parser.set_defaults(run=run)
    _add_options(parser)
    shared = parser.add_argument_group(
        "with --socket or --tcp",
        "what all editors have in common; what they send for it is ignored",
    )
    add_model_options(shared)
    shared.add_argument(
        "--prompt-memory-mb",
        type=int,
        metavar="N",
        help="megabytes for what the model has read of texts (default: fitted to free memory)",
    )
    shared.add_argument(
        "--unload-after-minutes",
        type=float,
        metavar="N",
        help="minutes without a request until the model leaves memory (default 30; 0: never)",
    )


def make_default(parser: argparse.ArgumentParser) -> None:
    """Makes `serve` what a program does when no command is named, with options of its own."""
    _add_options(parser)
    parser.set_defaults(run=run, log_level="info", **dict.fromkeys(_SHARED_OPTIONS))


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stdio", action="store_true", help="stdin and stdout (the default)")
    shared = parser.add_mutually_exclusive_group()
    shared.add_argument(
        "--socket",
        nargs="?",
        const="",
        metavar="PATH",
        help="listen for several editors on a Unix socket that only you can open (by default in "
        "your folder for running programs)",
    )
    shared.add_argument(
        "--tcp",
        metavar="HOST:PORT",
        help="listen for several editors on TCP; they need a token, which only you can read",
    )
    parser.add_argument(
        "--allow-unencrypted-remote-connections",
        action="store_true",
        dest="allow_remote",
        help="let --tcp bind an address that other machines can reach: whoever sees what goes over "
        "the network can read your code and the token",
    )
    parser.add_argument(
        "--log-level",
        choices=choices_of("logLevel"),
        help="debug logs the user's own code (default: info, which never does)",
    )
    parser.add_argument(
        "--log-file", type=Path, help="instead of fim-lsp.log in the platform's log folder"
    )


def run(args: argparse.Namespace) -> int:
    """Serves until the editor leaves or the server is told to end, and ends the process then.

    Raises:
        UsageError: the options do not go together.
        FimLspError: the address cannot be listened at.
    """
    # The imports make 50,000 objects that stay for ever.  To look through them costs a tenth of the
    # start, and later, at each full collection, 40 ms in which no key is answered.
    gc.disable()
    from fim_lsp import logs
    from fim_lsp.lsp import access, tcp, unix_socket
    from fim_lsp.lsp.stdio import leave, serve_stdio
    from fim_lsp.model_host.host import ModelHost
    from model_runtime.store import choice

    gc.freeze()
    gc.enable()
    sys.setswitchinterval(SWITCH_SECONDS)
    logs.configure(args.log_level, args.log_file)

    def make_host() -> ModelHost:
        return ModelHost(chosen=choice.resolved(AUTO))

    if args.socket is None and args.tcp is None:
        if given := [name for name in _SHARED_OPTIONS if getattr(args, name) is not None]:
            option = f"--{given[0].replace('_', '-')}"
            raise UsageError(f"{option} is for --socket and --tcp; one editor has it as a setting")
        leave(serve_stdio(make_host))
    settings = checked({
        **model_settings(args),
        "promptMemoryMb": args.prompt_memory_mb,
        "unloadAfterMinutes": args.unload_after_minutes,
        "logLevel": args.log_level,
    })  # fmt: skip
    if args.tcp is None:
        path = Path(args.socket) if args.socket else access.default_socket()
        leave(unix_socket.serve_socket(path.absolute(), make_host, settings=settings))
    host, port = host_and_port(args.tcp)
    leave(tcp.serve_tcp(host, port, make_host, settings=settings, allow_remote=args.allow_remote))
