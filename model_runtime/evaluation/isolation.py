"""Confines a program: the commands that put an interpreter into an empty room.

    bubblewrap     `bwrap`, the choice for ordinary users
    namespaces     the same rooms by namespaces.py; also for root, to whom bwrap cannot limit
                   processes
    none           limits on memory, time and file size only

Inside are the system's libraries and the base interpreter, read-only, and a memory file system at
/tmp; not there are site-packages, home folders, /proc, the network and the environment.
"""

from __future__ import annotations

import os
import shutil
import sys
from enum import Enum
from functools import lru_cache
from pathlib import Path

_SYSTEM_PATHS = (
    "/usr", "/bin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/nix/store",
)  # fmt: skip
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")


class Isolation(str, Enum):
    """A way to confine a program; the value stands in every report."""

    BUBBLEWRAP = "bubblewrap"
    NAMESPACES = "namespaces"
    NONE = "none"


def confinement(isolation: Isolation, file_bytes: int) -> list[str]:
    """Returns the command that confines one appended to it; `file_bytes` is the size of /tmp."""
    if isolation is Isolation.NONE:
        return []
    if isolation is Isolation.NAMESPACES:
        script = Path(__file__).with_name("namespaces.py")
        folders = ["--read-only", *_read_only_paths(), "--devices", *_DEVICES]
        return [*base_python(), str(script), str(file_bytes), *folders, "--"]
    bwrap = shutil.which("bwrap") or "bwrap"  # the environment that it gets has no PATH
    command = [bwrap, "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    command += ["--size", str(file_bytes), "--tmpfs", "/tmp"]
    for path in _read_only_paths():
        is_link = os.path.islink(path)
        command += ["--symlink", os.readlink(path), path] if is_link else ["--ro-bind", path, path]
    for device in _DEVICES:
        command += ["--dev-bind", device, device]
    return [*command, "--remount-ro", "/", "--chdir", "/tmp", "--"]


def base_python() -> list[str]:
    """Returns the command of the interpreter without site-packages: only the standard library is
    there.

    A virtual environment's own executable would look for its folder, which is not there inside.
    """
    return [getattr(sys, "_base_executable", sys.executable), "-s", "-S", "-B"]


def environment() -> dict[str, str]:
    """Returns the environment of the interpreter, which the runner empties.

    A fixed hash seed lets verdicts repeat.
    """
    return {"PYTHONHASHSEED": "0", "LD_LIBRARY_PATH": f"{sys.base_prefix}/lib"}


@lru_cache(maxsize=1)
def _read_only_paths() -> list[str]:
    """Returns the system's folders and the interpreter's, none inside another."""
    shown: list[str] = []
    for path in (*_SYSTEM_PATHS, sys.base_prefix, sys.base_exec_prefix):
        is_inside = any(Path(path).is_relative_to(outer) for outer in shown)
        if os.path.lexists(path) and not is_inside:
            shown.append(path)
    return shown
