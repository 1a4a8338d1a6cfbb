"""Moves large memory of this process to huge pages, where the system has them: Linux 6.1 or newer.

Each id that is decoded reads all weights of a model once.  In pages of 4 kB a processor spends up
to a quarter of that time on finding them (docs/notes/huge-pages.md).  Most systems give huge pages
to a program that asks for them alone, and the libraries of engines do not.
"""

from __future__ import annotations

import ctypes
import logging
import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

logger = logging.getLogger(__name__)

_SMAPS = Path("/proc/self/smaps")
_MADV_COLLAPSE = 25
"""Advice of madvise(2) by which pages are moved now; other systems refuse it."""
_HUGE = 2 << 20
"""Bytes of a huge page on the processors that have ones of 4 kB."""
_PIECE = 16 * _HUGE
"""Bytes that are moved at a time, so that nobody else waits long for memory."""
_MIN_RESIDENT = 0.9
"""Share of a region that is in use; else moving it would take memory that nobody has written to."""
_REGION = re.compile(r"([0-9a-f]+)-([0-9a-f]+) rw-p \S+ \S+ 0 *(\[heap\])?$")
_SIZE = re.compile(r"(Rss|AnonHugePages): +(\d+) kB")
_LOWEST_PRIORITY = 19
_DELAY_SECONDS = 1.0
"""Time for the first completion, which comes when all is loaded."""


class Region(NamedTuple):
    """A range of addresses whose memory belongs to no file."""

    start: int
    end: int
    resident: int
    """Bytes of it that are in memory."""
    huge: int
    """Bytes of those that lie in huge pages."""

    @property
    def is_worth_it(self) -> bool:
        """Tells whether it is in use, and in small pages."""
        size = self.end - self.start
        return self.resident >= _MIN_RESIDENT * size and self.huge < self.resident - _HUGE


def move_soon() -> None:
    """Moves what is in memory in a second, on a thread of the lowest priority."""
    if sys.platform == "linux":
        timer = threading.Timer(_DELAY_SECONDS, _move_quietly)
        timer.name, timer.daemon = "huge pages", True
        timer.start()


def move_to_huge_pages() -> int:
    """Returns how many bytes were moved.

    Raises:
        OSError: the system does not tell of the memory of a process.
    """
    moved = 0
    advise = ctypes.CDLL(None).madvise
    advise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    with _SMAPS.open(encoding="utf-8") as lines:
        found = [region for region in regions(lines) if region.is_worth_it]
    for region in found:
        first, end = -(-region.start // _HUGE) * _HUGE, region.end // _HUGE * _HUGE
        for start in range(first, end, _PIECE):
            size = min(_PIECE, end - start)
            # What was given back meanwhile is refused, and so is all of it by older systems.
            moved += size if advise(start, size, _MADV_COLLAPSE) == 0 else 0
    return moved


def regions(lines: Iterator[str]) -> Iterator[Region]:
    """Returns the private memory of a process that can be written to.

    Args:
        lines: of its file `smaps` (proc_pid_smaps(5)).
    """
    place: tuple[int, int] | None = None
    sizes: dict[str, int] = {}
    for line in lines:
        if found := _SIZE.match(line):
            sizes[found[1]] = int(found[2]) * 1024
        elif line.startswith("VmFlags:"):  # the last one of a region
            if place is not None:
                yield Region(*place, sizes.get("Rss", 0), sizes.get("AnonHugePages", 0))
            place, sizes = None, {}
        elif found := _REGION.match(line):
            place = int(found[1], 16), int(found[2], 16)


def _move_quietly() -> None:
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST_PRIORITY)
    try:
        logger.debug("%d MB moved to huge pages", move_to_huge_pages() >> 20)
    except OSError as error:
        logger.debug("no huge pages: %s", error)
