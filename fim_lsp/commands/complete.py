"""`fim-lsp complete`: the editor's path of a completion, once, in a terminal."""

from __future__ import annotations

import asyncio
import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fim_lsp.completion.explanation import explain as explain_decision
from fim_lsp.completion.provider import CompletionProvider
from fim_lsp.completion.request import CompletionRequest
from fim_lsp.document import DocumentSnapshot
from fim_lsp.errors import FimLspError, UsageError
from fim_lsp.model_host.host import ModelHost
from fim_lsp.settings import Settings
from fim_lsp.suggestion import Completion, Trigger
from model_runtime.progress_bar import progress_bar
from model_runtime.syntax.languages import language_id

if TYPE_CHECKING:
    from rich.console import Console

_LINES_AROUND = 6
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class Location:
    """A place in a file, 1-based, as compilers print it."""

    path: Path
    line: int
    column: int


def parse_location(text: str) -> Location:
    """Read FILE:LINE:COLUMN.

    Raises:
        UsageError: it is something else.
    """
    match = re.fullmatch(r"(.+):(\d+):(\d+)", text)
    if match is None:
        raise UsageError(f"{text}: expected FILE:LINE:COLUMN, as in main.py:12:9")
    return Location(Path(match[1]), int(match[2]), int(match[3]))


def snapshot_of(location: Location) -> DocumentSnapshot:
    """The file with the cursor at the location.

    Raises:
        FimLspError: the file cannot be read, or has no such place.
    """
    path = location.path
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise FimLspError(f"{path}: no such file") from None
    except UnicodeDecodeError:
        raise FimLspError(f"{path}: not UTF-8 text; convert the file first") from None
    except OSError as error:
        raise FimLspError(f"{path}: {error.strerror}") from None
    starts = [0, *(match.end() for match in _LINE_END.finditer(text))]
    if not 1 <= location.line <= len(starts):
        raise FimLspError(f"{path} has {len(starts)} lines; there is no line {location.line}")
    start = starts[location.line - 1]
    following = _LINE_END.search(text, start)
    length = (following.start() if following else len(text)) - start
    if not 1 <= location.column <= length + 1:
        raise FimLspError(
            f"{path}:{location.line} has {length} characters; "
            f"columns go from 1 to {length + 1}, not to {location.column}"
        )
    return DocumentSnapshot(
        uri=path.resolve().as_uri(),
        language_id=language_id(path.name),
        version=1,
        text=text,
        offset=start + location.column - 1,
        path=path.name,
    )


def complete(location: Location, settings: Settings, *, as_json: bool, explain: bool) -> int:
    """Complete and print; returns the exit code."""
    snapshot = snapshot_of(location)
    with progress_bar():
        completions, report = asyncio.run(_ask(snapshot, settings))
    reason = report["decision"]["reason"]
    if not explain:
        del report["decision"]
    if as_json:
        print(json.dumps(report, ensure_ascii=False, indent=1))
    else:
        _print(snapshot, completions, report, reason)
    return 0


async def _ask(
    snapshot: DocumentSnapshot, settings: Settings
) -> tuple[list[Completion], dict[str, Any]]:
    """Completions as an editor that asks for them would get them, and the report for programs."""
    started = time.perf_counter()
    host = ModelHost()
    try:
        await host.ready(settings)
        load_ms = (time.perf_counter() - started) * 1e3
        provider = CompletionProvider(host)
        request = CompletionRequest(snapshot, Trigger.INVOKED, settings)
        completions = await provider.complete(request) or []
        decision = provider.explain()[0]
        report = {
            "items": [_item(snapshot, completion) for completion in completions],
            "model": host.status.model,
            "engine": host.status.engine,
            "promptTokens": decision.get("promptTokens", 0),
            "cachedTokens": decision.get("cachedTokens", 0),
            "timingsMs": {"load": round(load_ms, 2), **decision["timingsMs"]},
            "decision": decision,
        }
    finally:
        host.close()
    return completions, report


def _item(snapshot: DocumentSnapshot, completion: Completion) -> dict[str, Any]:
    """An item as LSP writes it; lines and characters count from 0, characters are code points."""
    return {
        "insertText": completion.text,
        "range": {
            "start": _position(snapshot.text, completion.start),
            "end": _position(snapshot.text, completion.end),
        },
        "meanLogprob": round(completion.mean_logprob, 4),
    }


def _position(text: str, offset: int) -> dict[str, int]:
    line, start = 0, 0
    for match in _LINE_END.finditer(text, 0, offset):
        line, start = line + 1, match.end()
    return {"line": line, "character": offset - start}


def _print(
    snapshot: DocumentSnapshot,
    completions: list[Completion],
    report: dict[str, Any],
    reason: str,
) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    for number, completion in enumerate(completions, 1):
        if len(completions) > 1:
            console.print(f"[bold]{number} of {len(completions)}[/]")
        _print_in_context(console, snapshot, completion)
    if not completions:
        console.print(f"no completion here: {reason}", markup=False)
    table = Table("step", "ms", box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.columns[1].justify = "right"
    for step, milliseconds in report["timingsMs"].items():
        table.add_row(step, f"{milliseconds:.1f}", style="bold" if step == "total" else "")
    console.print(table)
    console.print(
        f"{report['model']} on {report['engine']}, {report['promptTokens']} prompt tokens",
        style="dim",
        markup=False,
    )
    if "decision" in report:
        _print_explanation(console, report["decision"])


def _print_explanation(console: Console, decision: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, said in explain_decision(decision):
        table.add_row(Text(name, style="dim"), Text(said))
    console.print(table)


def _print_in_context(console: Console, snapshot: DocumentSnapshot, completion: Completion) -> None:
    """The lines around the cursor with the completion in its place: green, or in « » without
    colour.
    """
    from rich.text import Text

    before = snapshot.text[: completion.start].splitlines() or [""]
    if snapshot.text[: completion.start].endswith(("\n", "\r")):
        before.append("")
    after = snapshot.text[completion.end :].splitlines() or [""]
    marked = completion.text if console.is_terminal else f"«{completion.text}»"
    shown = Text("\n".join(before[-_LINES_AROUND:]))
    first_new = shown.plain.count("\n")
    shown.append(marked, style="bold green")
    last_new = shown.plain.count("\n")
    shown.append("\n".join(after[:_LINES_AROUND]))
    number = len(before) - min(len(before), _LINES_AROUND) + 1
    for index, line in enumerate(shown.split("\n")):
        is_new = first_new <= index <= last_new
        gutter = Text(f"{number + index:>5} {'>' if is_new else '|'} ", style="dim")
        console.print(gutter + line, soft_wrap=True)
