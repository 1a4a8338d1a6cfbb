"""Folders that cannot be written or have no room, for one process and what it starts.

Where namespaces may be made (unshare), a mount that only that process sees; it holds for root, too.
Elsewhere the folder's mode, and a limit on the size of files.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tests.faults.servers import SERVER

SMALL_BYTES = 65_536
"""Room on the full disk."""


@cache
def has_namespaces() -> bool:
    """Tells whether this user may mount in a namespace of its own."""
    if shutil.which("unshare") is None:
        return False
    trial = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(trial, capture_output=True).returncode == 0


def read_only(*folders: Path) -> tuple[Sequence[str], dict[str, Any]]:
    """Returns the server's command and the options with which it cannot write these folders."""
    if has_namespaces():
        steps = [f"mount --bind '{f}' '{f}' && mount -o remount,ro,bind '{f}'" for f in folders]
        return _mounted(steps), {}
    assert os.geteuid() != 0, "root ignores modes, so it has to be allowed to mount"
    for folder in folders:
        folder.chmod(0o500)
    return SERVER, {}


def full(*folders: Path, command: Sequence[str] = SERVER) -> tuple[Sequence[str], dict[str, Any]]:
    """Returns a command and the options with which these folders have little room."""
    if has_namespaces():
        steps = [f"mount -t tmpfs -o size={SMALL_BYTES} tmpfs '{folder}'" for folder in folders]
        return _mounted(steps, command), {}
    return command, {"preexec_fn": _limited(resource.RLIMIT_FSIZE, SMALL_BYTES)}


def _mounted(steps: Sequence[str], command: Sequence[str] = SERVER) -> Sequence[str]:
    return ("unshare", "-rm", "sh", "-c", " && ".join([*steps, 'exec "$@"']), "sh", *command)


def _limited(kind: int, value: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(kind, (value, value))
