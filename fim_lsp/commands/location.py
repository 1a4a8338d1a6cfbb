"""Finds the place in a file at which `fim-lsp complete` is asked to complete."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from fim_lsp.document import DocumentSnapshot
from fim_lsp.errors import FimLspError, UsageError
from fim_lsp.lsp.positions import LINE_END
from model_runtime.syntax.languages import language_id


@dataclass(frozen=True)
class Location:
    """A place in a file, 1-based, as compilers print it."""

    path: Path
    line: int
    column: int


def parse_location(text: str) -> Location:
    """Reads FILE:LINE:COLUMN.

    Raises:
        UsageError: the text is not of that form.
    """
    match = re.fullmatch(r"(.+):(\d+):(\d+)", text)
    if match is None:
        raise UsageError(f"{text}: expected FILE:LINE:COLUMN, as in main.py:12:9")
    return Location(Path(match[1]), int(match[2]), int(match[3]))


def snapshot_of(location: Location) -> DocumentSnapshot:
    """Returns the file with the cursor at the location.

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
    starts = [0, *(match.end() for match in LINE_END.finditer(text))]
    if not 1 <= location.line <= len(starts):
        raise FimLspError(f"{path} has {len(starts)} lines; there is no line {location.line}")
    start = starts[location.line - 1]
    following = LINE_END.search(text, start)
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
