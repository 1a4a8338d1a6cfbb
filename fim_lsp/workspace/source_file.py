"""Reads one file of a project, or leaves it alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from model_runtime.files import open_regular

MAX_BYTES = 200_000
"""Bytes of a file; a larger one is data, or a program wrote it."""


def read_text(path: str | Path) -> str | None:
    """Returns the text of a file as it is now, with plain line ends; None for no source code.

    Links are not followed: what they lead to may lie outside of the project.
    """
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return None
        with open_regular(path) as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError:
        return None
    if len(raw) > MAX_BYTES or b"\0" in raw:
        return None
    try:
        return raw.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        return None
