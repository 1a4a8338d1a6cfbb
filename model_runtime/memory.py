"""Tells how much memory and disk there is, in bytes; a container's limit counts like the machine's.

`root` is the root of the file system, where control groups are read; tests have one of their own.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from model_runtime import cgroups


def total_memory(root: Path = cgroups.ROOT) -> int:
    """Returns the memory that this process could have, were it alone."""
    import psutil

    total = int(psutil.virtual_memory().total)
    limit = cgroups.memory_limit(root)
    return total if limit is None else min(total, limit)


def available_memory(root: Path = cgroups.ROOT) -> int:
    """Returns the memory that can be taken without another program losing any."""
    import psutil

    available = int(psutil.virtual_memory().available)
    free = cgroups.free_memory(root)
    return available if free is None else min(available, free)


def free_disk(path: Path) -> int:
    """Returns the free bytes of the disk that a file at `path` would lie on.

    Raises:
        OSError: the disk cannot be asked.
    """
    existing = path.absolute()
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    return shutil.disk_usage(existing).free
