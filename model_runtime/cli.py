"""The command `fim-runtime`: models on this machine, training, evaluation."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from model_runtime.errors import ModelRuntimeError
from model_runtime.exporters import gguf_names
from model_runtime.printable import printable
from model_runtime.prompt.format import HoleStart
from model_runtime.prompt.orders import Order
from model_runtime.prompt.published import PUBLISHED

if TYPE_CHECKING:
    from model_runtime.store.catalogue import ModelEntry

_EXAMPLES = """\
examples:
  fim-runtime models list                        what is installed
  fim-runtime models info default                shape, format, licence and scores of a model
  fim-runtime models info default --check        hash its files, recompute its canary
  fim-runtime models add ./my-gpt-neox           read, convert, quantise and check a folder
  fim-runtime models add ORG/NAME                the same from the Hugging Face hub, then offline
  fim-runtime models export default --gguf       a file for llama.cpp
  fim-runtime train recipe.toml --out runs/mine  the whole pipeline, from files to a bundle
  fim-runtime evaluate infilling default --help  the judge"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code: 0, 1 for a failure, 2 for wrong usage."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if given[:1] == ["train"]:  # the pipeline and the judge have parsers of their own
            return _train(given[1:])
        if given[:2] == ["evaluate", "ablation"]:  # it trains, which the judge cannot
            return _ablation(given[2:])
        if given[:1] == ["evaluate"]:
            from model_runtime.evaluation.__main__ import main as evaluate

            return int(evaluate(given[1:]) or 0)
        args = _parser().parse_args(given)
        return int(args.run(args))
    except ModelRuntimeError as error:
        print(f"fim-runtime: {printable(str(error))}", file=sys.stderr)
        return 1
    except MemoryError:
        print("fim-runtime: not enough memory for this model", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _train(arguments: Sequence[str]) -> int:
    try:
        from model_runtime.training.__main__ import main as train
    except ModuleNotFoundError as error:
        return _lacks(error, "train")
    return train(arguments)


def _ablation(arguments: Sequence[str]) -> int:
    try:
        from model_runtime.training.ablation_command import main as ablation

        return ablation(arguments)
    except ModuleNotFoundError as error:
        return _lacks(error, "train,eval")


def _lacks(error: ModuleNotFoundError, extra: str) -> int:
    print(
        f"fim-runtime: training needs {error.name}; run `pip install 'fim-lsp[{extra}]'`",
        file=sys.stderr,
    )
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fim-runtime",
        description="Models for local fill-in-the-middle: manage, train and judge them.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    models = commands.add_parser("models", help="list, describe, add and export models")
    actions = models.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="models on this machine")
    listing.add_argument("--json", action="store_true", help="print JSON for a program")
    listing.set_defaults(run=_list)
    info = actions.add_parser("info", help="what a model is and how it was made")
    info.add_argument(
        "name", metavar="NAME", help="a name from `models list`, or a bundle's folder"
    )
    info.add_argument("--json", action="store_true", help="print JSON for a program")
    info.add_argument(
        "--check",
        action="store_true",
        help="hash every file and recompute the canary; exit code 1 if anything differs",
    )
    info.set_defaults(run=_info)
    add = actions.add_parser(
        "add",
        help="convert a GPT-NeoX model and install it",
        description="SOURCE is a folder with config.json, tokenizer.json and safetensors, or "
        "ORG/NAME on the Hugging Face hub.  The model is read, converted, quantised and checked.",
    )
    add.add_argument("source", metavar="SOURCE")
    add.add_argument("--name", help="name to install it under (default: the source's last part)")
    add.add_argument(
        "--quantization",
        choices=("int8", "float32"),
        default="int8",
        help="of the weights file (default int8: a quarter of the size)",
    )
    add.add_argument(
        "--order",
        choices=[order.value for order in Order],
        help="order of the prompt's parts, where the source does not state it",
    )
    add.add_argument(
        "--prompt-format",
        choices=sorted(PUBLISHED),
        help="the whole format of a prompt, as the authors of these models publish it",
    )
    add.set_defaults(run=_add)
    sign = actions.add_parser(
        "sign",
        help="confirm a manifest.json that you have changed by hand",
        description="A manifest holds a hash of its content, so that damage is noticed.  After a "
        "change by hand this writes the hash anew.",
    )
    sign.add_argument("name", metavar="NAME", help="a name from `models list`, or a folder")
    sign.set_defaults(run=_sign)

    export = actions.add_parser(
        "export",
        help="write a model as one GGUF file for llama.cpp",
        description="One GGUF file with weights, tokenizer and sentinels, which stock llama.cpp "
        "reads: see docs/models.md.",
    )
    export.add_argument(
        "name", metavar="NAME", help="a name from `models list`, or a bundle's folder"
    )
    export.add_argument("--gguf", action="store_true", required=True, help="the format")
    export.add_argument(
        "--type",
        choices=gguf_names.TYPES,
        default="q8_0",
        help="of the matrices (default q8_0, the nearest to a bundle's int8)",
    )
    export.add_argument(
        "--out", metavar="FILE", type=Path, help="default: NAME-TYPE.gguf in this folder"
    )
    export.set_defaults(run=_export)

    # For --help only: main() hands these to parsers of their own.
    commands.add_parser("train", help="run the training pipeline of a recipe")
    commands.add_parser("evaluate", help="measure a model: HumanEval-infilling by execution")
    return parser


def _list(args: argparse.Namespace) -> int:
    from model_runtime.store import catalogue

    entries = catalogue.list_models()
    if args.json:
        print(json.dumps([_entry_json(entry) for entry in entries], indent=1))
        return 0
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("name", "parameters", "size", "context", "order", "licence", box=None)
    for entry in entries:
        if entry.manifest is None:
            problem = Text.assemble(("unusable", "red"), f": {printable(entry.problem)}")
            table.add_row(Text(printable(entry.name)), problem)
            continue
        manifest = entry.manifest
        table.add_row(
            Text(printable(entry.name)),
            f"{manifest.parameters / 1e6:.1f} M",
            f"{manifest.weights.size / 1e6:.1f} MB {manifest.weights.dtype}",
            str(manifest.context_length),
            manifest.prompt.name,
            Text(printable(manifest.license)),
        )
    console = Console(highlight=False)
    console.print(table)
    if not entries:
        console.print("no models; add one with: fim-runtime models add SOURCE")
    return 0


def _entry_json(entry: ModelEntry) -> dict[str, object]:
    manifest = json.loads(entry.manifest.to_json()) if entry.manifest else None
    return {
        "name": entry.name,
        "path": str(entry.path),
        "problem": entry.problem,
        "manifest": manifest,
    }


def _info(args: argparse.Namespace) -> int:
    from model_runtime.model_files import MAX_TEXT_BYTES, UnusableFile, size_of
    from model_runtime.store import catalogue

    if args.check:
        return _check(args.name, args.json)
    bundle = catalogue.find(args.name)
    if args.json:
        print(json.dumps(json.loads(bundle.manifest.to_json()), indent=1))
        return 0
    from rich.console import Console
    from rich.markdown import Markdown
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table(show_header=False, box=None)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for key, value in json.loads(bundle.manifest.to_json()).items():
        if key != "canary":
            shown = json.dumps(value) if isinstance(value, dict | list) else str(value)
            table.add_row(key, Text(printable(shown)))
    console.print(table)
    card = bundle.path / "MODEL_CARD.md"
    try:
        size_of(card, MAX_TEXT_BYTES)
        text = printable(card.read_text(encoding="utf-8", errors="replace"))
    except (OSError, UnusableFile):
        return 0  # a model need not have one
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    console.print(Markdown(text, hyperlinks=False))  # with them, a link can hide where it leads
    return 0


def _check(name: str, as_json: bool) -> int:
    """Opening compares sizes, the tokenizer's hash and the canary; the weights are left."""
    from model_runtime.store import catalogue

    try:
        bundle = catalogue.find(name)
        bundle.open_weights()
    except ModelRuntimeError as error:
        if not as_json:
            raise
        print(json.dumps({"name": name, "problem": str(error)}))
        return 1
    manifest = bundle.manifest
    checks = {
        "manifest": f"read, {manifest.parameters:,} parameters as the architecture has",
        "tokenizer": f"SHA-256 {manifest.tokenizer.sha256[:12]}... as stated",
        "canary": f"{len(manifest.canary.ids)} ids recomputed, equal ({manifest.prompt.name})",
        "weights": f"SHA-256 {manifest.weights.sha256[:12]}... as stated, every tensor in shape",
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


def _add(args: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.text import Text

    from model_runtime.store import catalogue

    console = Console(highlight=False, stderr=True)
    with console.status("reading") as status:
        report = catalogue.add_model(
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


def _sign(args: argparse.Namespace) -> int:
    from model_runtime.store import catalogue

    print(f"the manifest of {catalogue.sign(args.name).name} is signed")
    return 0


def _export(args: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.text import Text

    from model_runtime.exporters.gguf import export_gguf
    from model_runtime.store import catalogue

    bundle = catalogue.find(args.name)
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
