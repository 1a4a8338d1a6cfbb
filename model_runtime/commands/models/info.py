"""`fim-runtime models info`: tells what a model is and how it was made, or checks its files."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from model_runtime.command_line import Commands, add_command, add_json_option
from model_runtime.errors import ModelRuntimeError
from model_runtime.printable import printable, shown_bytes

if TYPE_CHECKING:
    from model_runtime.models.calibration import Calibration


def add_parser(actions: Commands) -> None:
    """Adds the action `info`."""
    parser = add_command(actions, "info", run, help="what a model is and how it was made")
    parser.add_argument(
        "name", metavar="NAME", help="a name from `models list`, or a bundle's folder"
    )
    add_json_option(parser)
    parser.add_argument("--card", action="store_true", help="print its whole card")
    parser.add_argument(
        "--check",
        action="store_true",
        help="hash every file and recompute the canary; exit code 1 if anything differs",
    )


def run(args: argparse.Namespace) -> int:
    """Prints what a model is, or the checks of its files; returns the exit code.

    Raises:
        ModelRuntimeError: there is no such model, or it cannot be used.
    """
    if args.check:
        return _check(args.name, args.json)
    return _describe(args.name, as_json=args.json, is_whole=args.card)


def _describe(name: str, *, as_json: bool, is_whole: bool) -> int:
    """Prints what a person asks first, and the card as far as that, or all of the card."""
    from model_runtime.store import installed

    bundle = installed.find(name)
    manifest = bundle.manifest
    if as_json:
        print(json.dumps(json.loads(manifest.to_json()), indent=1))
        return 0
    from rich.console import Console
    from rich.markdown import Markdown
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for label, value in (
        ("name", f"{name}, in logs {manifest.name}" if name != manifest.name else name),
        ("learned", ", ".join(manifest.languages) or "as its authors say"),
        ("measured in", ", ".join(_measured(manifest.calibration)) or "none by itself"),
        ("weights", f"{manifest.parameters:,}, {shown_bytes(manifest.weights.size)}"),
        ("context", f"{manifest.context_length:,} tokens"),
        ("license", manifest.license),
        ("folder", str(bundle.path)),
    ):
        table.add_row(label, Text(printable(value)))
    console.print(table)
    card = _card(bundle.path)
    beginning = card.partition("\n## ")[0]
    # With hyperlinks, a link can hide where it leads.
    console.print(Markdown(card if is_whole else beginning, hyperlinks=False))
    more = [] if card == beginning or is_whole else ["--card: its whole card"]
    console.print("; ".join([*more, "--check: whether its files are whole; --json: its manifest"]))
    return 0


def _measured(calibration: Calibration | None) -> list[str]:
    """Returns the languages with a table of eagerness of their own."""
    return sorted(calibration.languages) if calibration else []


def _card(folder: Path) -> str:
    """Returns a model's card without the hub's metadata; empty where it has none."""
    from model_runtime.model_files import MAX_TEXT_BYTES, UnusableFile, size_of

    card = folder / "MODEL_CARD.md"
    try:
        size_of(card, MAX_TEXT_BYTES)
        text = printable(card.read_text(encoding="utf-8", errors="replace"))
    except (OSError, UnusableFile):
        return ""
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    return re.sub(r"^!\[.*?\]\(.*?\)$", "", text, flags=re.MULTILINE)  # a terminal has no pictures


def _check(name: str, as_json: bool) -> int:
    """Opens a model, which compares sizes, the tokenizer's hash and the canary, and its weights."""
    from model_runtime.store import installed

    try:
        bundle = installed.find(name)
        if bundle.has_weights:
            bundle.open_weights()
    except ModelRuntimeError as error:
        if not as_json:
            raise
        print(json.dumps({"name": name, "problem": str(error)}))
        return 1
    manifest = bundle.manifest
    checks = {
        "manifest": f"read, {manifest.parameters:,} parameters as the decoder has",
        "tokenizer": f"SHA-256 {manifest.tokenizer.sha256[:12]}... as stated",
        "canary": f"{len(manifest.canary.ids)} ids recomputed, equal ({manifest.prompt.name})",
        "weights": f"SHA-256 {manifest.weights.sha256[:12]}... as stated, every tensor in shape"
        if bundle.has_weights
        else "none here; a server has them",
    }
    if as_json:
        print(
            json.dumps(
                {"name": manifest.name, "path": str(bundle.path), "checks": checks}, indent=1
            )
        )
        return 0
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for name, told in checks.items():
        line = Text.assemble(("ok", "green"), "  ", (f"{name:<10}", "dim"), printable(told))
        console.print(line, soft_wrap=True)
    return 0
