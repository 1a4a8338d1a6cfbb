"""`fim-runtime models add`: converts a model and installs it."""

from __future__ import annotations

import argparse

from model_runtime.command_line import Commands, add_command
from model_runtime.printable import printable
from model_runtime.prompt.format import HoleStart
from model_runtime.prompt.orders import Order
from model_runtime.prompt.published import PUBLISHED


def add_parser(actions: Commands) -> None:
    """Adds the action `add`."""
    parser = add_command(
        actions,
        "add",
        run,
        help="convert a model and install it",
        description="SOURCE is a folder with config.json, tokenizer.json and safetensors, a .gguf "
        "file, or ORG/NAME on the Hugging Face hub.  The model is read, converted, quantized and "
        "checked.",
    )
    parser.add_argument("source", metavar="SOURCE")
    parser.add_argument("--name", help="name to install it under (default: the source's last part)")
    parser.add_argument(
        "--quantization",
        choices=("int8", "float16", "float32"),
        default="int8",
        help="of the weights file (default int8: a quarter of the size)",
    )
    parser.add_argument(
        "--order",
        choices=[order.value for order in Order],
        help="order of the prompt's parts, where the source does not state it",
    )
    parser.add_argument(
        "--prompt-format",
        choices=sorted(PUBLISHED),
        help="the whole format of a prompt, as the authors of these models publish it",
    )


def run(args: argparse.Namespace) -> int:
    """Adds a model and prints what it is; returns the exit code.

    Raises:
        ConversionError: the model cannot be fetched, read or prompted.
    """
    from rich.console import Console
    from rich.text import Text

    from model_runtime.store import adding

    console = Console(highlight=False, stderr=True)
    with console.status("reading") as status:
        report = adding.add_model(
            args.source,
            name=args.name,
            quantization=args.quantization,
            order=args.order,
            prompt_format=args.prompt_format,
            progress=lambda step: status.update(Text(printable(step))),
        )
    ready = Text.assemble((f"{report.name} is ready", "green"), f", in {report.path}")
    console.print(ready, soft_wrap=True)
    cursor = report.hole_start is HoleStart.CURSOR
    for label, value in (
        ("parameters", f"{report.parameters:,}"),
        ("prompt order", f"{report.order}, from {report.order_source}"),
        ("hole", f"begins at the {'cursor' if cursor else 'start of its line'}"),
        ("positions", f"{report.position_embedding}, context {report.context_length}"),
        (
            "weights",
            f"{report.quantization}, {report.bundle_bytes / 1e6:.1f} MB "
            f"(the source has {report.source_bytes / 1e6:.1f} MB)",
        ),
        ("canary", "recomputed, equal"),
        ("time", f"{report.seconds:.1f} s"),
        *(("note", note) for note in report.notes),
    ):
        console.print(Text.assemble("  ", (f"{label:<13}", "dim"), printable(value)))
    console.print(f"use it: fim-lsp complete FILE:LINE:COLUMN --model {report.name}")
    return 0
