"""`fim-lsp replay` types files through the real server, and prints what came of it."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fim_lsp.errors import FimLspError, UsageError
from fim_lsp.replay import page, report, rhythm, script, session, user
from fim_lsp.replay.figures import Figures
from fim_lsp.replay.script import Script
from fim_lsp.replay.typist import Manner
from fim_lsp.settings import Settings

_TAKES = {"line": user.take, "word": user.take_words}


def run(args: argparse.Namespace) -> int:
    """Replays, prints and writes; returns the exit code."""
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
    recorded = rhythm.recorded(args.gaps) if args.gaps else ()
    manner = Manner(is_fast=args.fast, take=_TAKES[args.accept], max_keys=args.keys)
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
    """Returns the settings that the server is told: the model's options and `--set`."""
    given = {
        name: value
        for name in ("model", "engine", "device", "threads")
        if (value := getattr(args, name)) is not None
    }
    for pair in args.set:
        name, equals, text = pair.partition("=")
        if not equals:
            raise UsageError(f"--set {pair}: expected NAME=VALUE, as in eagerness=0.8")
        try:
            given[name] = json.loads(text)
        except ValueError:
            given[name] = text
    _, problems = Settings.parse(given)
    if problems:
        raise UsageError("; ".join(problems))
    return given


def progress() -> Progress:
    """Returns a bar for work that types; on standard error, and only where a person looks."""
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
