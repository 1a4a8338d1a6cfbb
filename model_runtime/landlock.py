"""Forbids this process, for good, to write outside of some folders and to use TCP.

Landlock is Linux's way for an ordinary process to give up rights; it needs no privileges, and what
is started from here inherits it.  Older kernels, and other systems, know nothing of it: there the
function says so by its result.
"""

# No package of this exists that is kept up; the calls have no wrappers in glibc either.

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable
from pathlib import Path

# From linux/landlock.h and asm-generic/unistd.h; the numbers are the same on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG, _PATH_BENEATH = 1, 1
_PR_SET_NO_NEW_PRIVS = 38
_WRITE_FILE, _TRUNCATE, _REFER, _IOCTL_DEVICE = 1 << 1, 1 << 14, 1 << 13, 1 << 15
_CHANGE_FOLDER = sum(1 << bit for bit in range(4, 13))
"""Rights to remove and to make files, folders, links, sockets and devices."""
_ON_FILES = _WRITE_FILE | _TRUNCATE | _IOCTL_DEVICE
_TCP = 0b11
"""Rights to bind and to connect."""


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("tcp", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def write_only_in(folders: Iterable[Path]) -> bool:
    """Forbids all writing but in these folders, and TCP where the kernel can.

    Args:
        folders: those that may be changed, with all below them; what does not exist is left out.

    Returns:
        Whether it holds from now on; False where the kernel has no Landlock.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION_FLAG)
    if version < 1:
        return False
    files = _WRITE_FILE | _CHANGE_FOLDER
    files |= _REFER if version >= 2 else 0
    files |= _TRUNCATE if version >= 3 else 0
    files |= _IOCTL_DEVICE if version >= 5 else 0
    wanted = _Ruleset(files, _TCP if version >= 4 else 0)
    size = ctypes.sizeof(wanted) if version >= 4 else 8
    ruleset = libc.syscall(_CREATE_RULESET, ctypes.byref(wanted), ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return False
    try:
        for folder in folders:
            _allow(libc, ruleset, folder, files)
        return bool(
            libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            and libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0
        )
    finally:
        os.close(ruleset)


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        rule = _PathBeneath(rights if path.is_dir() else rights & _ON_FILES, opened)
        libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(opened)
