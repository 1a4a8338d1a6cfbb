"""`fim-runtime models wheel`: writes a model as pip packages."""

from __future__ import annotations

import argparse
from pathlib import Path

from model_runtime.command_line import Commands, add_command
from model_runtime.printable import printable

_MEGABYTE = 1_000_000
_EXAMPLES = """\
  fim-runtime models wheel qwen --out wheels
  pip install --find-links wheels fim-lsp-model-qwen   on another machine"""


def add_parser(actions: Commands) -> None:
    """Adds the action `wheel`."""
    parser = add_command(
        actions,
        "wheel",
        run,
        help="write a model as pip packages, for a network with a package index and no hub",
        description="One wheel with the model's tokenizer and texts, which is installed by name, "
        "and wheels with its weights in parts that package indexes accept, on which the first one "
        "depends.  They hold data alone.  Where one is installed beside fim-lsp, `models list` "
        "shows the model.  The same model gives the same bytes.",
        examples=_EXAMPLES,
    )
    parser.add_argument(
        "name", metavar="NAME", help="a name from `models list`, or a bundle's folder"
    )
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="where to write")
    parser.add_argument(
        "--name",
        dest="distribution",
        metavar="DIST",
        default="",
        help="name of the package (default: fim-lsp-model-MODEL)",
    )
    parser.add_argument("--version", default="1.0", help="of the packages (default 1.0)")
    parser.add_argument(
        "--as",
        dest="model",
        metavar="MODEL",
        help="name of the model for those who install it (default: NAME)",
    )
    parser.add_argument(
        "--part-size",
        metavar="MB",
        type=_megabytes,
        default=95,
        help="most megabytes of weights in one wheel (default 95: many indexes take 100)",
    )


def _megabytes(told: str) -> int:
    if not told.isdecimal() or not 1 <= int(told) <= 2000:
        raise argparse.ArgumentTypeError(f"{told} is no whole number from 1 to 2000")
    return int(told)


def run(args: argparse.Namespace) -> int:
    """Writes the wheels and prints how to install them; returns the exit code.

    Raises:
        ModelRuntimeError: there is no such model, or it cannot be written.
    """
    from rich.console import Console
    from rich.text import Text

    from model_runtime.errors import WheelError, shown
    from model_runtime.exporters.wheel import WheelOptions, write_wheels
    from model_runtime.progress_bar import progress_bar
    from model_runtime.store import installed
    from model_runtime.store.names import AUTO, DEFAULT, MODEL_NAME

    bundle = installed.find(args.name)
    model = args.model or Path(args.name).resolve().name
    if not MODEL_NAME.fullmatch(model) or model in (AUTO, DEFAULT):
        raise WheelError(
            f"{shown(model)} cannot be the name of an installed model; give one with --as, of "
            "letters, digits, dots, dashes and underscores"
        )
    options = WheelOptions(model, args.distribution, args.version, args.part_size * _MEGABYTE)
    with progress_bar():
        report = write_wheels(bundle, args.out, options)
    console = Console(highlight=False)
    for path in report.files:
        size = f"{path.stat().st_size / 1e6:8.1f} MB"
        console.print(Text.assemble((size, "dim"), "  ", printable(str(path))), soft_wrap=True)
    install = f"pip install --find-links {args.out} {report.package.requirement}"
    for label, value in (
        ("install", install),
        ("or, from an index", f"pip install {report.package.requirement}"),
        ("then use it", f"fim-lsp complete FILE:LINE:COLUMN --model {model}"),
    ):
        line = Text.assemble((f"{label:<19}", "dim"), printable(value))
        console.print(line, soft_wrap=True)
    return 0
