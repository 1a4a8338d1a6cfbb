"""`fim-runtime models add`: fetches a model if need be, converts and installs it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from model_runtime.command_line import Commands, add_command
from model_runtime.commands.models import add_progress
from model_runtime.errors import ModelRuntimeError
from model_runtime.models.manifest import NO_WEIGHTS
from model_runtime.printable import printable
from model_runtime.prompt.format import HoleStart
from model_runtime.prompt.orders import Order
from model_runtime.prompt.published import PUBLISHED

if TYPE_CHECKING:
    from rich.console import Console

    from model_runtime.importers.huggingface import ConversionReport

_EXAMPLES = """\
  fim-runtime models add qwen2.5-coder-0.5b         a name of `models available`
  fim-runtime models add ORG/NAME@REVISION          a repository of the hub
  fim-runtime models add ORG/NAME/model-q4.gguf     one file of it
  fim-runtime models add ./model.gguf --name mine   a file that is here"""


def add_parser(actions: Commands) -> None:
    """Adds the action `add`."""
    parser = add_command(
        actions,
        "add",
        run,
        help="fetch, convert and install a model",
        description="SOURCE is a name from `models available`, a folder with config.json, "
        "tokenizer.json and safetensors, a .gguf file, or ORG/NAME on the Hugging Face hub.  The "
        "model is fetched if need be, converted and checked; then it needs no network.  What was "
        "broken off goes on, and what is there is brought up to date.",
        examples=_EXAMPLES,
    )
    parser.add_argument("source", metavar="SOURCE")
    parser.add_argument(
        "--name", metavar="NAME", help="to install it under (default: the last part)"
    )
    parser.add_argument(
        "--quantization",
        choices=("int8", "float16", "float32"),
        default="int8",
        help="of the weights (default int8)",
    )
    parser.add_argument(
        "--without-weights",
        action="store_const",
        const=NO_WEIGHTS,
        dest="quantization",
        help="for a model that a server runs",
    )
    parser.add_argument(
        "--order",
        choices=[order.value for order in Order],
        help="of a prompt, where the source lacks it",
    )
    parser.add_argument(
        "--prompt-format",
        choices=sorted(PUBLISHED),
        help="as the authors publish it",
    )
    parser.add_argument("--revision", metavar="COMMIT", help="of the repository, in place of @...")
    parser.add_argument(
        "--yes",
        action="store_true",
        help="accept the license, use what others fetched",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="though it is too large, or there already",
    )
    parser.add_argument(
        "--progress",
        choices=("text", "json"),
        default="text",
        help="json is for programs",
    )


def run(args: argparse.Namespace) -> int:
    """Adds a model and prints what it is; returns the exit code.

    Raises:
        ModelRuntimeError: the model cannot be fetched, read or prompted, or is too large.
    """
    from rich.console import Console

    console = Console(highlight=False, stderr=True)
    if args.progress == "text":
        _describe(_added(args, console, add_progress.on_console), console)
        return 0
    try:
        report = _added(args, console, add_progress.as_json)
    except ModelRuntimeError as error:
        add_progress.print_json({"problem": printable(str(error))})
        return 1
    add_progress.print_json({"added": _as_json(report)})
    return 0


def _added(
    args: argparse.Namespace, console: Console, watch: add_progress.Watch
) -> ConversionReport:
    from model_runtime.store import adding

    options = adding.AddOptions(
        name=args.name,
        quantization=args.quantization,
        order=args.order,
        prompt_format=args.prompt_format,
        revision=args.revision,
        force=args.force,
        accept_license=args.yes,
    )
    with watch(console) as watcher:
        return adding.add_model(args.source, options, progress=watcher.step, ask=watcher.ask)


def _as_json(report: ConversionReport) -> dict[str, object]:
    return {
        "name": report.name,
        "path": str(report.path),
        "parameters": report.parameters,
        "bytes": report.bundle_bytes,
        "isNew": report.is_new,
        "notes": list(report.notes),
    }


def _describe(report: ConversionReport, console: Console) -> None:
    from rich.text import Text

    if not report.is_new:
        console.print(
            Text.assemble((f"{report.name} is up to date", "green"), f": {report.notes[0]}")
        )
        console.print("add it anew with --force", style="dim")
        return
    ready = Text.assemble((f"{report.name} is ready", "green"), f", in {report.path}")
    console.print(ready, soft_wrap=True)
    cursor = report.hole_start is HoleStart.CURSOR
    for label, value in (
        ("parameters", f"{report.parameters:,}"),
        ("prompt order", f"{report.order}, from {report.order_source}"),
        ("hole", f"begins at the {'cursor' if cursor else 'start of its line'}"),
        ("positions", f"{report.position_embedding}, context {report.context_length}"),
        ("weights", _weights(report)),
        ("canary", "recomputed, equal"),
        ("time", f"{report.seconds:.1f} s"),
        *(("note", note) for note in report.notes),
    ):
        console.print(Text.assemble("  ", (f"{label:<13}", "dim"), printable(value)))
    console.print(f"use it: fim-lsp complete FILE:LINE:COLUMN --model {report.name}")


def _weights(report: ConversionReport) -> str:
    if report.quantization == NO_WEIGHTS:
        return "none here; a server has them"
    return (
        f"{report.quantization}, {report.bundle_bytes / 1e6:.1f} MB "
        f"(the source has {report.source_bytes / 1e6:.1f} MB)"
    )
