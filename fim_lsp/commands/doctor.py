"""`fim-lsp doctor`: tells what runs here, how fast, what is wrong, and the remedy."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from fim_lsp.commands.options import add_model_options, checked, model_settings
from fim_lsp.errors import UsageError
from fim_lsp.settings import Settings
from model_runtime.command_line import Commands, add_command, add_json_option

DEFAULT_FILE = "fim-lsp-report.md"
"""File that `--report` writes."""


def add_parser(commands: Commands) -> None:
    """Adds the command `doctor`."""
    parser = add_command(
        commands,
        "doctor",
        run,
        help="check model, engine and speed on this machine",
        description="Check that the model works, measure how fast it and this machine are, and "
        "tell which public model would suit the machine best.",
        examples="""\
  fim-lsp doctor                     look
  fim-lsp doctor --model NAME        how fast an added model would be
  fim-lsp doctor --report            write a page for whoever helps you""",
    )
    add_json_option(parser)
    parser.add_argument(
        "--report",
        nargs="?",
        type=Path,
        const=Path(DEFAULT_FILE),
        metavar="FILE",
        help="write a page to attach to an issue, without code: versions, settings, speed, the end "
        f"of the log; it is shown first (default {DEFAULT_FILE})",
    )
    add_model_options(parser)


def run(args: argparse.Namespace) -> int:
    """Examines this machine and prints; returns 0 when completions work, 1 when they do not.

    Raises:
        UsageError: the options make no sense.
        FimLspError: the report cannot be written.
    """
    settings = checked(model_settings(args))
    if args.report is None:
        return show(settings, as_json=args.json)
    if args.json:
        raise UsageError("--report writes Markdown; leave --json or --report away")
    return report_to(args.report, settings)


def show(settings: Settings, *, as_json: bool) -> int:
    """Examines this machine and prints; returns 0 when completions work, 1 when they do not."""
    from fim_lsp.commands.doctor_examination import PROMPT_TOKENS, examine
    from model_runtime.progress_bar import progress_bar

    with progress_bar():
        report = examine(settings)
    if as_json:
        print(json.dumps(asdict(report), indent=1))
    else:
        from fim_lsp.commands.doctor_page import print_report

        print_report(report, prompt_tokens=PROMPT_TOKENS)
    return 0 if report.ok else 1


def report_to(path: Path, settings: Settings) -> int:
    """Examines this machine, shows the report, and writes it if a person who is asked agrees.

    Returns:
        0 when completions work, 1 when they do not.

    Raises:
        UsageError: there is such a file already.
        FimLspError: the report cannot be written.
    """
    from fim_lsp.commands.doctor_examination import PROMPT_TOKENS, examine
    from fim_lsp.commands.support_report import support_report, write_report
    from model_runtime.progress_bar import progress_bar

    if path.exists():
        raise UsageError(f"{path} exists; name another file: --report FILE")
    with progress_bar():
        report = examine(settings)
    text = support_report(report, settings, prompt_tokens=PROMPT_TOKENS)
    print(text)
    if sys.stdin.isatty() and not _agrees(path):
        print("nothing was written", file=sys.stderr)
    else:
        write_report(text, path)
        print(f"{path} is written; read it, then attach it to your issue", file=sys.stderr)
    return 0 if report.ok else 1


def _agrees(path: Path) -> bool:
    try:
        return input(f"Write this to {path}? [Y/n] ").strip().lower() in ("", "y", "yes")
    except EOFError:
        return False
