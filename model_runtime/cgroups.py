"""Reads the limits that Linux sets to a container, or to a service, by control groups.

A group's limit holds for all groups below it, so the own group and its parents are read.  Version 2
keeps the files of all controllers in one folder, version 1 a tree for each controller.  A container
that sees its host's name of the group finds its files at the top of what is mounted.

`root` is the root of the file system; tests have one of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")
_MOUNT = "sys/fs/cgroup"
_UNLIMITED = 2**60
"""Bytes from which on a limit of version 1 is none: it says so by the largest number it has."""


def memory_limit(root: Path = ROOT) -> int | None:
    """Returns the bytes that this process and its group may use; None for as much as there is."""
    return min((limit for limit, _ in _memory(root)), default=None)


def free_memory(root: Path = ROOT) -> int | None:
    """Returns the bytes that the group may still take, cached files counted as free.

    None where there is no limit.
    """
    return min((max(0, limit - used) for limit, used in _memory(root)), default=None)


def cores(root: Path = ROOT) -> float | None:
    """Returns how many cores' time the group gets; None for no limit."""
    return min(_quotas(root), default=None)


def _memory(root: Path) -> Iterator[tuple[int, int]]:
    """Yields limit and use of each group that has a limit, in bytes."""
    for version, folder in _folders(root, "memory"):
        names = (
            ("memory.max", "memory.current", "inactive_file")
            if version == 2
            else ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        )
        limit, used = _number(folder / names[0]), _number(folder / names[1])
        if limit is not None and limit < _UNLIMITED:
            yield limit, max(0, (used or 0) - _statistic(folder / "memory.stat", names[2]))


def _quotas(root: Path) -> Iterator[float]:
    for version, folder in _folders(root, "cpu"):
        if version == 2:
            quota, _, period = _text(folder / "cpu.max").partition(" ")
        else:
            quota = _text(folder / "cpu.cfs_quota_us")
            period = _text(folder / "cpu.cfs_period_us")
        if quota.isdecimal() and period.isdecimal() and int(period):
            yield int(quota) / int(period)


def _folders(root: Path, controller: str) -> Iterator[tuple[int, Path]]:
    """Yields the version and the folder of each group that a controller's limits may stand in."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        version = 1 if controllers else 2
        top = root / _MOUNT / controller if controllers else root / _MOUNT
        parts = [part for part in group.split("/") if part]
        if ".." in parts:  # the group lies outside of what this container sees
            parts = []
        for length in range(len(parts) + 1):
            yield version, top.joinpath(*parts[:length])


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isdecimal() else None


def _statistic(path: Path, name: str) -> int:
    lines = (line.split() for line in _text(path).splitlines())
    return next((int(line[1]) for line in lines if line[:1] == [name]), 0)


def _text(path: Path) -> str:
    """Returns the text of a file; empty where there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
