"""`fim-lsp serve`: runs the language server for one editor, or for several with one model."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fim_lsp.commands.options import (
    MODEL_OPTIONS,
    add_model_options,
    checked,
    choices_of,
    host_and_port,
    model_settings,
)
from fim_lsp.errors import FimLspError, UsageError
from fim_lsp.settings import Settings
from model_runtime.command_line import Commands
from model_runtime.store.names import AUTO

if TYPE_CHECKING:
    from fim_lsp.process import Service

SWITCH_SECONDS = 0.001
"""So long may the engine's thread keep Python's lock when the event loop wants it.

Python's own 5 ms were the longest silence of the loop (`benchmarks/event_loop`).
"""

_FOR_PEOPLE = """\
fim-lsp: this is a language server, which waits for an editor on standard input; Ctrl+C ends it.
To try it: fim-lsp demo.  To use it in an editor: fim-lsp setup.  All commands: fim-lsp --help."""

_SHARED_OPTIONS = (*MODEL_OPTIONS, "prompt_memory_mb", "unload_after_minutes")
"""Only a server that several editors share takes these options; elsewhere they are refused."""
_HTTP_OPTIONS = ("http_token_file", "eagerness", "exclude")
"""Only a server that speaks HTTP takes these."""


def add_parser(commands: Commands) -> None:
    """Adds the command `serve`."""
    parser = commands.add_parser(
        "serve",
        help="run the language server (the default)",
        description="Serve one editor on stdin and stdout, or several programs with one model.",
        # A default here would overwrite what stood before the command's name.
        argument_default=argparse.SUPPRESS,
    )
    parser.set_defaults(run=run)
    _add_options(parser)
    shared = parser.add_argument_group(
        "with --socket, --tcp or --http",
        "what all have in common; what editors send for it is ignored",
    )
    add_model_options(shared)
    shared.add_argument(
        "--prompt-memory-mb",
        type=int,
        metavar="N",
        help="for what it has read (default: as memory allows)",
    )
    shared.add_argument(
        "--unload-after-minutes",
        type=float,
        metavar="N",
        help="idle minutes it stays (default 30; 0: all)",
    )
    http = parser.add_argument_group("with --http")
    http.add_argument(
        "--http-token-file",
        type=Path,
        metavar="FILE",
        help="has the token to send; only you may read it",
    )
    http.add_argument(
        "--eagerness",
        type=float,
        metavar="N",
        help="0: only what is certain; 1: all (default 0.5)",
    )
    http.add_argument(
        "--exclude",
        action="append",
        metavar="GLOB",
        help="what it never sees, as in .gitignore; repeatable",
    )


def make_default(parser: argparse.ArgumentParser) -> None:
    """Makes `serve` what a program does when no command is named, with options of its own."""
    for action in _add_options(parser):
        action.help = argparse.SUPPRESS  # the help of `serve` shows it
    parser.set_defaults(
        run=run, log_level="info", **dict.fromkeys((*_SHARED_OPTIONS, *_HTTP_OPTIONS))
    )


def _add_options(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    shared = parser.add_mutually_exclusive_group()
    stdio = parser.add_argument(
        "--stdio", action="store_true", help="stdin and stdout (the default)"
    )
    socket = shared.add_argument(
        "--socket",
        nargs="?",
        const="",
        metavar="PATH",
        help="a Unix socket for several editors of yours",
    )
    tcp = shared.add_argument(
        "--tcp",
        metavar="HOST:PORT",
        help="TCP for several editors, with a token",
    )
    http = parser.add_argument(
        "--http",
        metavar="HOST:PORT",
        help="for other clients; docs/clients.md lists them",
    )
    remote = parser.add_argument(
        "--allow-unencrypted-remote-connections",
        action="store_true",
        dest="allow_remote",
        help="let other machines reach --tcp or --http: who sees the network can read code "
        "and token",
    )
    level = parser.add_argument(
        "--log-level",
        choices=choices_of("logLevel"),
        help="debug logs code, the others never do (default info)",
    )
    file = parser.add_argument(
        "--log-file", type=Path, metavar="FILE", help="in place of the platform's log folder"
    )
    return [stdio, socket, tcp, http, remote, level, file]


def run(args: argparse.Namespace) -> int:
    """Serves until the editor leaves or the server is told to end, and ends the process then.

    Raises:
        UsageError: the options do not go together.
        FimLspError: the address cannot be listened at.
    """
    # The imports make 50,000 objects that stay for ever.  To look through them costs a tenth of the
    # start, and later, at each full collection, 40 ms in which no key is answered.
    gc.disable()
    from fim_lsp import logs, process
    from fim_lsp.lsp import access, tcp, unix_socket
    from fim_lsp.lsp.stdio import leave, serve_stdio
    from fim_lsp.model_host import freed_memory
    from fim_lsp.model_host.host import ModelHost
    from model_runtime.store import choice

    gc.freeze()
    gc.enable()
    sys.setswitchinterval(SWITCH_SECONDS)
    logs.configure(args.log_level, args.log_file)
    freed_memory.return_large_blocks()

    def make_host() -> ModelHost:
        return ModelHost(chosen=choice.resolved(AUTO))

    _refuse(args, _HTTP_OPTIONS, "--http", is_there=args.http is not None)
    is_shared = not args.socket is args.tcp is args.http is None
    _refuse(args, _SHARED_OPTIONS, "--socket, --tcp and --http", is_there=is_shared)
    if not is_shared:
        if sys.stdin.isatty():
            print(_FOR_PEOPLE, file=sys.stderr)
        leave(serve_stdio(make_host))
    settings = checked({
        **model_settings(args),
        "promptMemoryMb": args.prompt_memory_mb,
        "unloadAfterMinutes": args.unload_after_minutes,
        "logLevel": args.log_level,
    })  # fmt: skip
    http = [] if args.http is None else [_http_service(args, settings)]
    if args.tcp is not None:
        host, port = host_and_port(args.tcp)
        allow_remote = args.allow_remote
        leave(
            tcp.serve_tcp(
                host, port, make_host, settings=settings, allow_remote=allow_remote, others=http
            )
        )
    if args.socket is not None:
        path = Path(args.socket) if args.socket else access.default_socket()
        leave(unix_socket.serve_socket(path.absolute(), make_host, settings=settings, others=http))
    leave(process.serve(make_host, http))


def _refuse(args: argparse.Namespace, names: Sequence[str], place: str, *, is_there: bool) -> None:
    """Refuses options that mean nothing here.

    Raises:
        UsageError: one of them is given.
    """
    given = [name for name in names if getattr(args, name) is not None]
    if given and not is_there:
        option = f"--{given[0].replace('_', '-')}"
        raise UsageError(f"{option} is for {place}; one editor has it as a setting")


def _http_service(args: argparse.Namespace, settings: Settings) -> Service:
    """Returns the service that speaks HTTP.

    Raises:
        UsageError: the options do not go together.
        FimLspError: the libraries are missing, or the token cannot be read.
    """
    from fim_lsp.lsp.tcp import addresses_of, refuse_remote
    from fim_lsp.lsp.token import read_token

    try:
        from fim_lsp.http.server import HttpService
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library not in ("starlette", "uvicorn"):
            raise
        raise FimLspError(
            f"--http needs {library}, which is missing; install it with: "
            "pip install 'fim-lsp[http]'"
        ) from None
    host, port = host_and_port(args.http)
    addresses = addresses_of(host, port)
    token = None if args.http_token_file is None else read_token(args.http_token_file)
    if not args.allow_remote:
        refuse_remote(host, addresses)
    elif token is None:
        raise UsageError(
            "--http with --allow-unencrypted-remote-connections needs --http-token-file: "
            "else every machine of the network could ask"
        )
    own, problems = Settings.parse({"eagerness": args.eagerness, "exclude": args.exclude}, settings)
    if problems:
        raise UsageError("; ".join(problems))
    return HttpService(addresses, port, own, host=host, token=token).serve
