"""`fim-lsp serve`: runs the language server for one editor, or for several with one model."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fim_lsp.commands.options import (
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

_SHARED_OPTIONS = ("model", "engine", "device", "threads", "prompt_memory_mb",
                   "unload_after_minutes")  # fmt: skip
"""Only a server that several editors share takes these options; elsewhere they are refused."""
_HTTP_OPTIONS = ("http_token_file", "eagerness", "exclude")
"""Only a server that speaks HTTP takes these."""


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
        "with --socket, --tcp or --http",
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
    http = parser.add_argument_group(
        "with --http", "what clients over HTTP cannot say for themselves"
    )
    http.add_argument(
        "--http-token-file",
        type=Path,
        metavar="FILE",
        help="a file that only you can read, with a token that clients must send",
    )
    http.add_argument(
        "--eagerness",
        type=float,
        metavar="N",
        help="how sure a suggestion must be: from 0 (nearly certain) to 1 (default 0.5)",
    )
    http.add_argument(
        "--exclude",
        action="append",
        metavar="GLOB",
        help="a pattern as in .gitignore of files that the model never sees, besides all secrets; "
        "may be given several times",
    )


def make_default(parser: argparse.ArgumentParser) -> None:
    """Makes `serve` what a program does when no command is named, with options of its own."""
    _add_options(parser)
    parser.set_defaults(
        run=run, log_level="info", **dict.fromkeys((*_SHARED_OPTIONS, *_HTTP_OPTIONS))
    )


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
        "--http",
        metavar="HOST:PORT",
        help="serve clients that speak to llama.cpp, OpenAI's API, Tabby or Ollama, alone or "
        "beside --tcp, as in --http 127.0.0.1:8012; they are listed in docs/clients.md",
    )
    parser.add_argument(
        "--allow-unencrypted-remote-connections",
        action="store_true",
        dest="allow_remote",
        help="let --tcp or --http bind an address that other machines can reach: whoever sees what "
        "goes over the network can read your code and the token",
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
    from fim_lsp.lsp import compiled_types

    compiled_types.load()
    from fim_lsp import logs, process
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

    _refuse(args, _HTTP_OPTIONS, "--http", is_there=args.http is not None)
    is_shared = not args.socket is args.tcp is args.http is None
    _refuse(args, _SHARED_OPTIONS, "--socket, --tcp and --http", is_there=is_shared)
    if not is_shared:
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
