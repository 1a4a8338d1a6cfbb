"""`fim-lsp replay`: types files through the server and counts the keys that it saves."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fim_lsp.commands.options import add_model_options, checked, model_settings
from fim_lsp.errors import FimLspError, UsageError
from model_runtime.command_line import Commands, add_command, add_json_option

if TYPE_CHECKING:
    from rich.progress import Progress

    from fim_lsp.replay.figures import Figures
    from fim_lsp.replay.script import Script

_EXAMPLES = """\
  fim-lsp replay --fast src/                  type the files of a folder
  fim-lsp replay --git HEAD~20..HEAD          type your own last commits
  fim-lsp replay --fast --model NAME src/     with another model"""


def add_parser(commands: Commands) -> None:
    """Adds the command `replay`."""
    parser = add_command(
        commands,
        "replay",
        run,
        help="type files through the server and count the keys it saves",
        description="Type files, or what commits changed, through the real server as a person "
        "does who accepts only what they wanted to write; tells what it saves, and how often "
        "it is wrong.",
        examples=_EXAMPLES,
    )
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help="to be typed; of a folder, all sources"
    )
    parser.add_argument("--git", metavar="REV..REV", help="type what these commits changed")
    parser.add_argument(
        "--fast",
        action="store_true",
        help="no pauses: the same figures each time",
    )
    parser.add_argument(
        "--accept",
        choices=("line", "word"),
        default="line",
        help="what is taken at once (default line)",
    )
    parser.add_argument("--keys", type=int, default=0, metavar="N", help="the first N of each file")
    parser.add_argument(
        "--gaps",
        type=Path,
        metavar="FILE",
        help="a JSON list of pauses to draw from, in ms",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting, as in eagerness=0.8; repeatable",
    )
    add_json_option(parser)
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with pictures too")
    add_model_options(parser)


def run(args: argparse.Namespace) -> int:
    """Replays, prints and writes; returns the exit code.

    Raises:
        UsageError: the options make no sense.
        FimLspError: the files or commits cannot be read, or the page cannot be written.
    """
    import tempfile

    from fim_lsp.replay import script

    if bool(args.files) == bool(args.git):
        raise UsageError("name files to type, or commits by --git REV..REV, and not both")
    if args.keys < 0:
        raise UsageError(f"--keys {args.keys}: a count of keys, or 0 for all")
    if not args.git:
        return _replay(args, script.of_files([Path(name) for name in args.files]), None)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        script.write_tree_before(args.git, Path.cwd(), root)
        return _replay(args, script.of_commits(args.git, Path.cwd(), root), root)


def _replay(args: argparse.Namespace, scripts: list[Script], root: Path | None) -> int:
    from rich.console import Console

    from fim_lsp.replay import page, report, rhythm, session, user
    from fim_lsp.replay.typist import Manner

    take = {"line": user.take, "word": user.take_words}[args.accept]
    recorded = rhythm.recorded(args.gaps) if args.gaps else ()
    manner = Manner(is_fast=args.fast, take=take, max_keys=args.keys)
    pauses = "recorded pauses" if recorded else "human pauses"
    description = f"{'without waiting' if args.fast else pauses}, accepting by {args.accept}" + (
        f", the first {args.keys} keys of each" if args.keys else ""
    )
    with progress() as bar:
        task = bar.add_task("", total=len(scripts))

        def after_each(done: Script, _: Figures) -> None:
            bar.update(task, advance=1, description=done.label[-40:])

        replay = session.run(
            scripts,
            manner,
            _settings(args),
            description=description,
            recorded_ms=recorded,
            after_each=after_each,
            root=root,
        )
    if args.html:
        try:
            args.html.write_text(page.html(replay), encoding="utf-8")
        except OSError as error:
            raise FimLspError(f"{args.html}: {error.strerror}") from None
    if args.json:
        print(json.dumps(report.as_json(replay), ensure_ascii=False, indent=1))
    else:
        report.print_table(replay, Console(highlight=False))
    return 0


def _settings(args: argparse.Namespace) -> dict[str, Any]:
    """Returns what the server is told: the model's options and `--set`."""
    given = model_settings(args)
    for pair in args.set:
        name, equals, text = pair.partition("=")
        if not equals:
            raise UsageError(f"--set {pair}: expected NAME=VALUE, as in eagerness=0.8")
        try:
            given[name] = json.loads(text)
        except ValueError:
            given[name] = text
    checked(given)
    return given


def progress() -> Progress:
    """Returns a bar for work that types; on standard error, and only where a person looks."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("typing"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    )
