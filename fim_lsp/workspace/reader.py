"""Looks through a project in a process of its own, so that the server never waits for it.

    python -m fim_lsp.workspace.reader < request > one JSON object per file, and one at the end

The request is one line of JSON: {"roots": [path, ...], "exclude": [glob, ...], "lines": n}.  Of the
files that were changed last the text comes along, n lines in all, but not of generated ones: those
are the last changed after each build, and nobody types their lines.  It runs at the lowest
priority, opens nothing but source files, and ends when nobody reads what it writes.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fim_lsp.workspace.definitions import defined_names
from fim_lsp.workspace.listing import is_project, source_files
from fim_lsp.workspace.source_file import is_generated, read_text
from model_runtime.syntax.languages import language_id


def files(roots: list[str], exclude: tuple[str, ...], lines: int) -> Iterator[dict[str, Any]]:
    """Yields the entry of each file, the last changed of each root first."""
    for root in map(Path, roots):
        if not is_project(root):
            continue
        for name in source_files(root, exclude):
            path = root / name
            text = read_text(path)
            if text is None:
                continue
            known: dict[str, Any] = {
                "path": path.as_posix(),
                "names": sorted(defined_names(text, language_id(name))),
            }
            num_lines = text.count("\n") + 1
            if num_lines <= lines and not is_generated(text):
                lines -= num_lines
                known["text"] = text
            yield known


def main() -> int:
    """Reads the request, writes the answers."""
    if hasattr(os, "nice"):
        os.nice(19)
    request = json.loads(sys.stdin.readline())
    num_files = 0
    try:
        for known in files(request["roots"], tuple(request["exclude"]), request["lines"]):
            print(json.dumps(known), flush=True)
            num_files += 1
        print(json.dumps({"files": num_files}), flush=True)
    except BrokenPipeError:  # the server has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
