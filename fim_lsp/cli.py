"""The command `fim-lsp`: serve an editor, complete once in a terminal, or say what is wrong."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from fim_lsp.commands import calibrate, complete, connect, demo, doctor, replay, serve, setup, stats
from fim_lsp.errors import FimLspError, UsageError
from model_runtime.command_line import Parser
from model_runtime.errors import ModelRuntimeError
from model_runtime.printable import printable, write_what_a_terminal_lacks

_DESCRIPTION = """\
Local inline completion for any editor that speaks LSP 3.18.  The model runs on
this machine; nothing is sent anywhere."""

_EXAMPLES = """\
examples:
  fim-lsp demo                           try it here, without an editor
  fim-lsp setup                          the lines for your editor
  fim-lsp doctor                         what runs here, how fast, what is wrong
  fim-lsp complete main.py:12:9          the completion at line 12, column 9
  fim-lsp complete main.py:12:9 --json   the same for a program
  fim-lsp                                serve one editor on stdin and stdout
  fim-lsp serve --socket                 serve several with one model in memory
  fim-lsp connect                        join an editor to that server
  fim-lsp replay --fast src/             what it would save you, typing these"""

_COMMANDS = (demo, setup, doctor, complete, serve, connect, stats, replay, calibrate)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line; returns the exit code: 0, 1 for a failure, 2 for wrong usage."""
    write_what_a_terminal_lacks()
    args = parser().parse_args(arguments)
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
    except RuntimeError as error:
        if "can't start new thread" not in str(error):
            raise
        print("fim-lsp: no memory, or no permission, for another thread", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the whole command line; parsed arguments have `run`, to be called."""
    whole = Parser(prog="fim-lsp", description=_DESCRIPTION, epilog=_EXAMPLES)
    whole.add_argument("--version", action=_PrintVersion, nargs=0, help="print it and exit")
    serve.make_default(whole)
    commands = whole.add_subparsers(title="commands", metavar="COMMAND")
    for command in _COMMANDS:
        command.add_parser(commands)
    return whole


class _PrintVersion(argparse.Action):
    """Looks the version up only when it is asked for: that costs some milliseconds."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from fim_lsp import version

        print(f"fim-lsp {version()}")
        parser.exit()
