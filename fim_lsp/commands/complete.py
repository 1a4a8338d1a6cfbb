"""`fim-lsp complete`: takes the path of an editor's completion once, in a terminal."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fim_lsp.commands.options import add_model_options, checked, model_settings
from fim_lsp.errors import UsageError
from fim_lsp.lsp.positions import LINE_END
from fim_lsp.settings import Settings
from model_runtime.command_line import Commands, add_command, add_json_option

if TYPE_CHECKING:
    from rich.console import Console

    from fim_lsp.completion.trace import RequestTrace
    from fim_lsp.document import DocumentSnapshot
    from fim_lsp.suggestion import Completion

_LINES_AROUND = 6


def add_parser(commands: Commands) -> None:
    """Adds the command `complete`."""
    parser = add_command(
        commands,
        "complete",
        run,
        help="print the completion at a place in a file",
        description="Print what an editor would be offered at FILE:LINE:COLUMN (1-based; the "
        "cursor stands before that column).",
    )
    parser.add_argument("location", metavar="FILE:LINE:COLUMN")
    add_json_option(parser)
    parser.add_argument(
        "-n", type=int, default=1, metavar="N", help="up to N different completions (default 1)"
    )
    parser.add_argument(
        "--explain", action="store_true", help="also print the reasons, and each step's time"
    )
    add_model_options(parser)


def run(args: argparse.Namespace) -> int:
    """Completes once and prints; returns the exit code.

    Raises:
        UsageError: the options make no sense.
        FimLspError: the file cannot be read, or has no such place.
    """
    import asyncio

    from fim_lsp.commands.location import parse_location, snapshot_of
    from model_runtime.progress_bar import progress_bar

    if args.n < 1:
        raise UsageError(f"-n {args.n}: at least one completion must be asked for")
    location = parse_location(args.location)
    settings = checked({**model_settings(args), "candidates": args.n})
    snapshot = snapshot_of(location)
    with progress_bar():
        answer = asyncio.run(_ask(snapshot, settings))
    if args.json:
        report = _report(snapshot, answer, explain=args.explain)
        print(json.dumps(report, ensure_ascii=False, indent=1))
    else:
        _print(snapshot, answer, explain=args.explain)
    return 0


@dataclass(frozen=True)
class _Answer:
    """The completions of one request, and how they came about."""

    completions: list[Completion]
    trace: RequestTrace
    model: str
    engine: str
    load_ms: float
    note: str
    """Sentence on the model's server, or on what is wrong; empty where there is neither."""

    @property
    def prompt_tokens(self) -> int:
        generation = self.trace.generation
        return generation.prompt.prompt_tokens if generation and generation.prompt else 0

    @property
    def cached_tokens(self) -> int:
        generation = self.trace.generation
        return generation.decoding.cached_tokens if generation and generation.decoding else 0

    @property
    def timings_ms(self) -> dict[str, float]:
        return {"load": self.load_ms, **self.trace.timings.ms}


async def _ask(snapshot: DocumentSnapshot, settings: Settings) -> _Answer:
    """Returns what an editor would get that asks in the user's name."""
    from fim_lsp.completion.provider import CompletionProvider
    from fim_lsp.completion.request import CompletionRequest
    from fim_lsp.model_host.host import ModelHost
    from fim_lsp.suggestion import Trigger
    from model_runtime.store import choice
    from model_runtime.store.names import AUTO

    started = time.perf_counter()
    host = ModelHost(chosen=choice.resolved(AUTO))
    try:
        await host.ready(settings)
        load_ms = (time.perf_counter() - started) * 1e3
        provider = CompletionProvider(host)
        request = CompletionRequest(snapshot, Trigger.INVOKED, settings)
        completions = await provider.complete(request) or []
        (trace,) = provider.log.newest()
        status = host.status
        return _Answer(completions, trace, status.model, status.engine, load_ms, status.message)
    finally:
        host.close()


def _report(snapshot: DocumentSnapshot, answer: _Answer, *, explain: bool) -> dict[str, Any]:
    """Returns the answer for programs; the trace only where it is asked for."""
    from fim_lsp.completion.trace_json import as_json as trace_as_json

    return {
        "items": [_item(snapshot, completion) for completion in answer.completions],
        "model": answer.model,
        "engine": answer.engine,
        **({"note": answer.note} if answer.note else {}),
        "promptTokens": answer.prompt_tokens,
        "cachedTokens": answer.cached_tokens,
        "timingsMs": {name: round(ms, 2) for name, ms in answer.timings_ms.items()},
        **({"decision": trace_as_json(answer.trace)} if explain else {}),
    }


def _item(snapshot: DocumentSnapshot, completion: Completion) -> dict[str, Any]:
    """Returns an item as LSP writes it; lines and characters (code points) count from 0."""
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
    for match in LINE_END.finditer(text, 0, offset):
        line, start = line + 1, match.end()
    return {"line": line, "character": offset - start}


def _print(snapshot: DocumentSnapshot, answer: _Answer, *, explain: bool) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    completions = answer.completions
    for number, completion in enumerate(completions, 1):
        if len(completions) > 1:
            console.print(f"[bold]{number} of {len(completions)}[/]")
        _print_in_context(console, snapshot, completion)
    if not completions:
        reason = answer.trace.silence.message if answer.trace.silence else ""
        console.print(f"no completion here: {reason}", markup=False)
    console.print(
        f"ready in {answer.load_ms:.0f} ms, answered in {answer.trace.timings.ms['total']:.0f} ms: "
        f"{answer.model} on {answer.engine}, {answer.prompt_tokens} prompt tokens",
        style="dim",
        markup=False,
        soft_wrap=True,
    )
    if answer.note:
        console.print(answer.note, style="dim", markup=False)
    if explain:
        _print_explanation(console, answer.trace)


def _print_explanation(console: Console, trace: RequestTrace) -> None:
    from rich.table import Table
    from rich.text import Text

    from fim_lsp.completion import explanation

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for label, text in explanation.rows(trace):
        table.add_row(Text(label, style="dim"), Text(text))
    console.print(table)
    steps = Table("step", "ms", box=None, padding=(0, 2, 0, 0), header_style="dim")
    steps.columns[1].justify = "right"
    for step, milliseconds in trace.timings.ms.items():
        steps.add_row(step, f"{milliseconds:.1f}", style="bold" if step == "total" else "")
    console.print(steps)


def _print_in_context(console: Console, snapshot: DocumentSnapshot, completion: Completion) -> None:
    """Prints the lines around the cursor with the completion: green, or in « » without colors."""
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
