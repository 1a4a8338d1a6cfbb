"""Reading one file of a project, or leaving it alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

MAX_BYTES = 200_000
"""Larger files are data, or a program wrote them."""


def read_text(path: str | Path) -> str | None:
    """The text of a file as it is now, with plain line ends; None for what nobody writes by hand.

    Links are not followed: what they lead to may lie outside of the project.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return None
        with open(os.open(path, flags), "rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError:
        return None
    if len(raw) > MAX_BYTES or b"\0" in raw:
        return None
    try:
        return raw.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        return None
