"""Brings files up to date whose contents, or a marked part of them, are written by a program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]


def replaced(text: str, begin: str, end: str, written: str, name: str) -> str:
    """Returns a text with what stands between two marks replaced.

    Args:
        text: all of a file.
        begin: the mark before the part.
        end: the mark behind it.
        written: the new part, without blank lines around it.
        name: of the file, for the error.

    Raises:
        ValueError: the text lacks one of the marks.
    """
    before, found, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found and found_end):
        raise ValueError(f"{name} lacks {end if found else begin}")
    return f"{before}{begin}\n\n{written}\n\n{end}{after}"


def write(files: Mapping[str, Callable[[str], str]]) -> None:
    """Writes files below the repository's root anew, and names those that have changed."""
    for name, generate in files.items():
        path = ROOT / name
        old = path.read_text(encoding="utf-8")
        new = generate(old)
        if new != old:
            path.write_text(new, encoding="utf-8", newline="\n")
            print(f"{name} is written anew")
