"""Runs the demo of README.md, and finds what README.md quotes of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
QUOTATION = re.compile(r"(?<=^```\n\$ make demo\n).*?(?=^```$)", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r" *\d+ [|>]")


def place() -> str:
    """Returns FILE:LINE:COLUMN of the extension's picture, which the Makefile names."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return re.findall(r"^DEMO := (\S+)$", makefile, re.MULTILINE)[0]


def printed() -> str:
    """Returns the lines that the demo prints now, without a terminal's colors."""
    done = subprocess.run(
        [sys.executable, "-m", "fim_lsp", "demo"],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=True,
    )
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())


def quoted() -> str:
    """Returns the lines that README.md quotes."""
    return QUOTATION.findall(README.read_text(encoding="utf-8"))[0]


def without_figures(text: str) -> tuple[list[str], list[list[str]]]:
    """Splits what the demo prints into the lines of code and the words around them.

    Figures and the engine, which differ between machines, are left out of the words.
    """
    lines = text.splitlines()
    report = [line for line in lines if not _CODE.match(line)]
    words = [re.sub(r"\d+(?:\.\d+)?|(?<= on )\w+", "#", line).split() for line in report]
    return [line for line in lines if _CODE.match(line)], words
