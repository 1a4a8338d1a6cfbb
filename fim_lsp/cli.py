"""The command `fim-lsp`: serve an editor, complete once in a complete, or say what is wrong."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from fim_lsp.errors import FimLspError, UsageError
from fim_lsp.settings import Settings
from model_runtime.engines import registry
from model_runtime.errors import ModelRuntimeError
from model_runtime.printable import printable
from model_runtime.store.names import depends_on_the_working_folder

_DESCRIPTION = """\
Local inline completion for any editor that speaks LSP 3.18.  The model runs on this machine;
nothing is sent anywhere."""

_EXAMPLES = """\
examples:
  fim-lsp                                 serve one editor on stdin and stdout
  fim-lsp serve --socket                  serve several editors with one model in memory
  fim-lsp connect                         join an editor on stdin and stdout to that server
  fim-lsp complete main.py:12:9           print the completion at line 12, column 9
  fim-lsp complete main.py:12:9 --json    the same for a program
  fim-lsp replay --fast src/              what it would save you, typing these files
  fim-lsp stats                           how many suggestions you took
  fim-lsp doctor                          what runs here, how fast, and what is wrong"""


_REPLAY_EXAMPLES = """\
examples:
  fim-lsp replay --fast src/                        type the files of a folder
  fim-lsp replay --git HEAD~20..HEAD --html r.html  type your own last commits
  fim-lsp replay --fast --model NAME --json src/    the same with another model, for a program"""

_STATS_EXAMPLES = """\
examples:
  fim-lsp stats            a table, and where the file lies
  fim-lsp stats --clear    forget what you took; the dial is where you set it
To stop the counting, set fimLsp.learnFromUse to false in your editor."""

_CALIBRATE_EXAMPLES = """\
examples:
  fim-lsp calibrate src/                        look; takes minutes
  fim-lsp calibrate --model NAME --write src/   and keep it with an added model"""

_SHARED_OPTIONS = ("model", "engine", "device", "threads", "unload_after_minutes")
"""Only a server that several editors share takes these options; elsewhere they are refused."""

_HOST_AND_PORT = re.compile(r"(.+):([0-9]{1,5})")

SWITCH_SECONDS = 0.001
"""So long may the engine's thread keep Python's lock when the event loop wants it.

Python's own 5 ms were the longest silence of the loop (`benchmarks/event_loop`).
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code: 0, 1 for a failure, 2 for wrong usage."""
    parser = _parser()
    args = parser.parse_args(arguments)
    logging.raiseExceptions = False  # a full disk must not stop the server
    logging.getLogger().addHandler(logging.NullHandler())  # only `serve` has a log
    try:
        return int(args.run(args))
    except UsageError as error:
        print(f"fim-lsp: {printable(str(error))}", file=sys.stderr)
        return 2
    except (FimLspError, ModelRuntimeError) as error:
        print(f"fim-lsp: {printable(str(error))}", file=sys.stderr)
        return 1
    except MemoryError:
        print("fim-lsp: not enough memory for this model; choose a smaller one", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fim-lsp",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_PrintVersion, nargs=0, help="print it and exit")
    parser.set_defaults(run=_serve, **dict.fromkeys(_SHARED_OPTIONS))
    _add_serve_options(parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    serve = commands.add_parser("serve", help="run the language server (the default)")
    _add_serve_options(serve, is_subcommand=True)
    shared = serve.add_argument_group(
        "with --socket or --tcp",
        "what all editors have in common; what they send for it is ignored",
    )
    _add_model_options(shared)
    shared.add_argument(
        "--unload-after-minutes",
        type=float,
        metavar="N",
        help="minutes without a request until the model leaves memory (default 30; 0: never)",
    )
    serve.set_defaults(run=_serve)

    connect = commands.add_parser(
        "connect",
        help="join an editor to a shared server",
        description="The command to give an editor in place of fim-lsp: it joins the editor, on "
        "stdin and stdout, to the server that `fim-lsp serve --socket` or `--tcp` has started.",
    )
    connect.add_argument(
        "address",
        nargs="?",
        metavar="ADDRESS",
        help="path of a Unix socket, or HOST:PORT (default: where `serve --socket` listens)",
    )
    connect.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="the server's token, where it is not in this user's folder for running programs",
    )
    connect.set_defaults(run=_connect)

    complete = commands.add_parser(
        "complete",
        help="print the completion at a place in a file",
        description="Print what an editor would be offered at FILE:LINE:COLUMN (1-based; the "
        "cursor stands before that column).",
    )
    complete.add_argument("location", metavar="FILE:LINE:COLUMN")
    complete.add_argument("--json", action="store_true", help="print JSON for a program")
    complete.add_argument(
        "-n", type=int, default=1, metavar="N", help="up to N different completions (default 1)"
    )
    complete.add_argument(
        "--explain", action="store_true", help="also print the decision with its reasons"
    )
    _add_model_options(complete)
    complete.set_defaults(run=_complete)

    doctor = commands.add_parser("doctor", help="check model, engine and speed on this machine")
    doctor.add_argument("--json", action="store_true", help="print JSON for a program")
    _add_model_options(doctor)
    doctor.set_defaults(run=_doctor)
    stats = commands.add_parser(
        "stats",
        help="how many suggestions you took, as counted on this machine; or delete that",
        description="Show how many suggestions you accepted, typed by hand and rejected, by model "
        "and setting of the dial `eagerness`, and how far that has moved the dial.  The counts lie "
        "in one small file on this machine, hold no code, and are sent nowhere.",
        epilog=_STATS_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    stats.add_argument("--json", action="store_true", help="print JSON for a program")
    stats.add_argument("--clear", action="store_true", help="delete the counts")
    stats.set_defaults(run=_stats)
    _add_replay(commands.add_parser(
        "replay",
        help="type files through the server and count the keys it saves",
        description="Type files, or what commits changed, through the real server at the pace of "
        "a person who accepts only what they wanted to write; tells what it saves, how often it is "
        "wrong, and how quick it is.  Use it to choose a model or a setting for your own code.",
        epilog=_REPLAY_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ))  # fmt: skip
    _add_calibrate(commands.add_parser(
        "calibrate",
        help="measure what the dial `eagerness` should ask of a model",
        description="Type files that the model has not learned from, once for each of a series of "
        "probabilities, and find from which one on how much of what is shown is right.  With "
        "--write the table becomes a part of the model, and `eagerness` then means the same for "
        "it as for any other: at 0.5 one suggestion in four is right.",
        epilog=_CALIBRATE_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ))  # fmt: skip
    return parser


def _add_replay(replay: argparse.ArgumentParser) -> None:
    replay.add_argument(
        "files", nargs="*", metavar="FILE", help="files to type; of a folder, all its source files"
    )
    replay.add_argument(
        "--git", metavar="REV..REV", help="type what each commit of this repository changed"
    )
    replay.add_argument(
        "--fast",
        action="store_true",
        help="do not wait between keys, and wait for every answer: the same figures each time",
    )
    replay.add_argument(
        "--accept",
        choices=("line", "word"),
        default="line",
        help="take whole suggestions (the default), or word by word",
    )
    replay.add_argument(
        "--keys", type=int, default=0, metavar="N", help="only the first N keys of each file"
    )
    replay.add_argument(
        "--gaps",
        type=Path,
        metavar="FILE",
        help="recorded pauses between keys to draw from: a JSON list of milliseconds",
    )
    replay.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of the server, as in --set eagerness=0.8; may be repeated",
    )
    replay.add_argument("--json", action="store_true", help="print JSON for a program")
    replay.add_argument("--html", type=Path, metavar="FILE", help="also write a page with pictures")
    _add_model_options(replay)
    replay.set_defaults(run=_replay)


def _add_calibrate(calibrate: argparse.ArgumentParser) -> None:
    calibrate.add_argument(
        "files", nargs="+", metavar="FILE", help="files to type; of a folder, all its source files"
    )
    calibrate.add_argument(
        "--keys", type=int, default=300, metavar="N", help="of each file (default 300)"
    )
    calibrate.add_argument(
        "--words", default="", metavar="TEXT", help="what the files are, to be kept with the table"
    )
    calibrate.add_argument(
        "--write", action="store_true", help="keep the table in the model's manifest.json"
    )
    calibrate.add_argument("--json", action="store_true", help="print JSON for a program")
    _add_model_options(calibrate)
    calibrate.set_defaults(run=_calibrate)


class _PrintVersion(argparse.Action):
    """Looks the version up only when it is asked for: that costs some milliseconds."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from fim_lsp import version

        print(f"fim-lsp {version()}")
        parser.exit()


def _add_serve_options(parser: argparse.ArgumentParser, is_subcommand: bool = False) -> None:
    # A subcommand's default would overwrite what stood before the subcommand's name.
    default = argparse.SUPPRESS if is_subcommand else None
    parser.add_argument("--stdio", action="store_true", help="stdin and stdout (the default)")
    shared = parser.add_mutually_exclusive_group()
    shared.add_argument(
        "--socket",
        nargs="?",
        const="",
        metavar="PATH",
        default=default,
        help="listen for several editors on a Unix socket that only you can open (by default in "
        "your folder for running programs)",
    )
    shared.add_argument(
        "--tcp",
        metavar="HOST:PORT",
        default=default,
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
        choices=("debug", "info", "warning", "error"),
        default=argparse.SUPPRESS if is_subcommand else "info",
        help="debug logs the user's own code (default: info, which never does)",
    )
    parser.add_argument(
        "--log-file",
        type=Path,
        default=default,
        help="instead of fim-lsp.log in the platform's log folder",
    )


def _add_model_options(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--model",
        type=_model,
        metavar="MODEL",
        help="a name of `fim-runtime models list`, or a folder written as a path, as ./mine is "
        "(default: the embedded one)",
    )
    parser.add_argument("--engine", choices=("auto", *registry.names()))
    parser.add_argument("--device", choices=("auto", *registry.DEVICES))
    parser.add_argument("--threads", type=int, metavar="N", help="0 chooses by itself")


def _serve(args: argparse.Namespace) -> int:
    # The imports make 50,000 objects that stay for ever.  To look through them costs a tenth of the
    # start, and later, at each full collection, 40 ms in which no key is answered.
    gc.disable()
    from fim_lsp import logs
    from fim_lsp.lsp import access, tcp, unix_socket
    from fim_lsp.lsp.stdio import leave, serve_stdio
    from fim_lsp.model_host.host import ModelHost

    gc.freeze()
    gc.enable()
    sys.setswitchinterval(SWITCH_SECONDS)
    logs.configure(args.log_level, args.log_file)
    if args.socket is None and args.tcp is None:
        if given := [name for name in _SHARED_OPTIONS if getattr(args, name) is not None]:
            option = f"--{given[0].replace('_', '-')}"
            raise UsageError(f"{option} is for --socket and --tcp; one editor has it as a setting")
        leave(serve_stdio(ModelHost))
    settings = _settings(
        args, unloadAfterMinutes=args.unload_after_minutes, logLevel=args.log_level
    )
    if args.tcp is None:
        path = Path(args.socket) if args.socket else access.default_socket()
        leave(unix_socket.serve_socket(path.absolute(), ModelHost, settings=settings))
    host, port = _host_and_port(args.tcp)
    leave(tcp.serve_tcp(host, port, ModelHost, settings=settings, allow_remote=args.allow_remote))


def _connect(args: argparse.Namespace) -> int:
    from fim_lsp.lsp import access, bridge, token

    address: str | None = args.address
    if address is None or os.sep in address or not _HOST_AND_PORT.fullmatch(address):
        return bridge.connect_to_socket(Path(address) if address else access.default_socket())
    host, port = _host_and_port(address)
    return bridge.connect_to_tcp(host, port, args.token_file or token.token_file(port))


def _complete(args: argparse.Namespace) -> int:
    from fim_lsp.commands import complete

    if args.n < 1:
        raise UsageError(f"-n {args.n}: at least one completion must be asked for")
    location = complete.parse_location(args.location)
    return complete.complete(
        location, _settings(args, candidates=args.n), as_json=args.json, explain=args.explain
    )


def _doctor(args: argparse.Namespace) -> int:
    from fim_lsp.commands import doctor

    return doctor.run(_settings(args), as_json=args.json)


def _stats(args: argparse.Namespace) -> int:
    from fim_lsp.commands import stats

    return stats.run(as_json=args.json, clear=args.clear)


def _calibrate(args: argparse.Namespace) -> int:
    from fim_lsp.commands import calibrate

    return calibrate.run(args)


def _replay(args: argparse.Namespace) -> int:
    from fim_lsp.commands import replay

    return replay.run(args)


def _settings(args: argparse.Namespace, **more: object) -> Settings:
    """The defaults, and what the command line says."""
    given = {
        name: value
        for name in ("model", "engine", "device", "threads")
        if (value := getattr(args, name)) is not None
    }
    settings, problems = Settings.parse({**given, **more})
    if problems:
        raise UsageError("; ".join(problems))
    return settings


def _model(written: str) -> str:
    """The setting `model`, where a folder does not depend on the one that a program runs in."""
    return os.path.abspath(written) if depends_on_the_working_folder(written) else written


def _host_and_port(text: str) -> tuple[str, int]:
    match = _HOST_AND_PORT.fullmatch(text)
    if match is None or int(match[2]) > 65535:
        raise UsageError(f"{text}: expected HOST:PORT, as in 127.0.0.1:9275")
    return match[1].strip("[]"), int(match[2])
