"""`fim-runtime models export`: writes a model in the format of another program."""

from __future__ import annotations

import argparse
from pathlib import Path

from model_runtime.command_line import Commands, add_command
from model_runtime.exporters import gguf_names
from model_runtime.printable import printable


def add_parser(actions: Commands) -> None:
    """Adds the action `export`."""
    parser = add_command(
        actions,
        "export",
        run,
        help="write a model as one GGUF file for llama.cpp",
        description="One GGUF file with weights, tokenizer and sentinels, which stock llama.cpp "
        "reads: see docs/gguf.md.",
    )
    parser.add_argument(
        "name", metavar="NAME", help="a name from `models list`, or a bundle's folder"
    )
    parser.add_argument("--gguf", action="store_true", required=True, help="the format")
    parser.add_argument(
        "--type",
        choices=gguf_names.TYPES,
        default="q8_0",
        help="of the matrices (default q8_0, the nearest to a bundle's int8)",
    )
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help="default: NAME-TYPE.gguf in this folder"
    )


def run(args: argparse.Namespace) -> int:
    """Exports a model and prints how to use the file; returns the exit code.

    Raises:
        ModelRuntimeError: there is no such model, or it cannot be exported.
    """
    from rich.console import Console
    from rich.text import Text

    from model_runtime.exporters.gguf import export_gguf
    from model_runtime.store import installed

    bundle = installed.find(args.name)
    target = args.out or Path(f"{Path(args.name).resolve().name}-{args.type}.gguf")
    console = Console(highlight=False, stderr=True)
    with console.status("reading") as status:
        report = export_gguf(
            bundle, target, args.type, progress=lambda step: status.update(Text(printable(step)))
        )
    written = (printable(f"{target} is written"), "green")
    console.print(Text.assemble(written, f", {report.bytes / 1e6:.1f} MB {report.type}"))
    splits = f"{report.pre_tokenizer}, which splits text as this model's does"
    if report.agreement < 1:
        splits = f"{report.pre_tokenizer}, llama.cpp's nearest: {report.agreement:.1%} of ids agree"
    console.print(f"  [dim]pre-tokenizer[/] {splits}")
    if report.agreement < 1:
        console.print("  [dim]note[/]          prompts that are sent as ids are not affected")
    console.print(Text(printable(f"use it: {report.command}")), soft_wrap=True)
    return 0
