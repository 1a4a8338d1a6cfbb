"""Builds whole folders or nothing, in a folder of its own that is renamed; hashes files.

A file is replaced whole as well (`replace_text`).

    <parent>/.fim-lsp.<name>.<12 hex digits>/lock   held by the process that works there
                                             new/   what is being built
                                             old*/  what it replaces

A process that is killed leaves such a folder, and the next one that works beside it removes it: the
system frees the lock of a process that is gone, however it went.  Where it was killed between the
two steps of a replacement, the old folder goes back to its place first.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import stat
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from filelock import BaseFileLock

_OPEN_ELSEWHERE = (5, 32)
"""Windows' errors where another process has a file open, or one of a folder that is renamed."""
_ATTEMPTS = 20
"""Others that may come between the two steps of a change in a folder that all share."""
_WORK = re.compile(r"\.fim-lsp\.(.+)\.[0-9a-f]{12}")
_LOCK = "lock"
_OLD = "old"
_ABANDONED_SECONDS = 60.0
"""Age at which an unfinished text is nobody's any more; a text is written in milliseconds."""


@contextmanager
def building(target: Path) -> Iterator[Path]:
    """Gives a new, empty folder that takes the place of `target` when the block ends well.

    Until then, and after an error, `target` stays as it is.
    """
    with working_folder(target.parent, target.name) as work:
        new = work / "new"
        new.mkdir()
        yield new
        _put_in_place(new, target, work)


@contextmanager
def working_folder(parent: Path, name: str) -> Iterator[Path]:
    """Gives a hidden folder in `parent` for the time of the block; removes those of dead processes.

    Raises:
        OSError: it cannot be made.
    """
    work, lock = claim_folder(parent, name)
    try:
        yield work
    finally:
        lock.release()
        shutil.rmtree(work, ignore_errors=True)


def claim_folder(parent: Path, name: str) -> tuple[Path, BaseFileLock]:
    """Returns a new hidden folder in `parent`, and its lock, which keeps it while it is held.

    Raises:
        OSError: it cannot be made.
    """
    sweep(parent)
    parent.mkdir(parents=True, exist_ok=True)
    for attempts_left in reversed(range(_ATTEMPTS)):
        work = parent / f".fim-lsp.{name}.{uuid.uuid4().hex[:12]}"
        work.mkdir(mode=0o700)
        lock = _lock(work)
        try:
            lock.acquire()
            (work / _LOCK).stat()
            break
        except (FileNotFoundError, FileExistsError):  # swept before it was locked
            lock.release()
            if not attempts_left:
                raise
    return work, lock


def sweep(parent: Path) -> None:
    """Removes what processes that are gone have left in `parent` of their work."""
    try:
        left = [path for path in parent.iterdir() if _WORK.fullmatch(path.name) and _is_ours(path)]
    except OSError:
        return
    from filelock import Timeout

    for work in left:
        lock = _lock(work)
        with suppress(Timeout, OSError):
            lock.acquire(blocking=False)
            _put_back(work)
            shutil.rmtree(work, ignore_errors=True)
            lock.release()
            if os.name == "nt":  # the lock was open, so it stayed; it does if another has it now
                (work / _LOCK).unlink()
                work.rmdir()


def remove_folder(folder: Path) -> None:
    """Removes a folder with all that is in it: it is gone at once, or stays whole.

    Raises:
        OSError: it cannot be removed.
    """
    with working_folder(folder.parent, folder.name) as work:
        folder.rename(work / "removed")


def _put_back(work: Path) -> None:
    """Puts the folder back that was moved away for another one, which never came."""
    name = _WORK.fullmatch(work.name)
    for old in work.glob(f"{_OLD}*"):
        with suppress(OSError):  # something else is there by now
            if name is not None:
                old.rename(work.parent / name[1])


def _is_ours(path: Path) -> bool:
    """Tells whether it is a folder of this user; others can put links into a temporary folder."""
    found = path.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == getattr(os, "getuid", lambda: 0)()


def _lock(work: Path) -> BaseFileLock:
    from filelock import FileLock

    return FileLock(work / _LOCK, thread_local=False)


def _put_in_place(new: Path, target: Path, work: Path) -> None:
    """Renames; an earlier target, or one that another process has just put there, is replaced."""
    for attempts_left in reversed(range(_ATTEMPTS)):
        try:
            new.rename(target)
            return
        except OSError:
            if not attempts_left:
                raise
        old = work / f"{_OLD}{attempts_left}"  # a folder cannot be renamed to a full one
        with suppress(FileNotFoundError):  # another process may have moved it away
            target.rename(old)


def cannot_write(path: Path, error: OSError) -> str:
    """Returns a sentence on a folder that cannot be written, with what to do where that is known.

    >>> cannot_write(Path("models"), OSError(errno.ENOSPC, "No space left on device"))
    'cannot write models ([Errno 28] No space left on device); make room there and try again'
    """
    full = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))
    remedy, what = "", str(error)
    if error.errno in full:  # which file it was, among many, says nothing
        remedy, what = "; make room there and try again", f"[Errno {error.errno}] {error.strerror}"
    if getattr(error, "winerror", None) in _OPEN_ELSEWHERE:
        remedy = "; end the server or other program that uses it, and try again"
    return f"cannot write {path} ({what}){remedy}"


def open_regular(path: str | Path) -> BinaryIO:
    """Opens a file for reading; no link where the system can tell, and no wait for a pipe.

    Raises:
        OSError: it cannot be opened, or is a link.
    """
    flags = os.O_RDONLY
    for name in ("O_BINARY", "O_NOFOLLOW", "O_NONBLOCK"):  # each system has some of them
        flags |= getattr(os, name, 0)
    return open(os.open(path, flags), "rb")


def replace_text(path: Path, text: str) -> None:
    """Puts a whole file in the place of another; a reader sees the old one or the new one.

    Raises:
        OSError: it cannot be written; the old one stays.
    """
    _sweep_texts(path)
    fresh = path.with_name(f"{path.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}")
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def is_newer(version: object, known: int) -> bool:
    """Tells whether a file's version is one that only a later version of this program writes.

    >>> is_newer(2, 1), is_newer(1, 1), is_newer("2", 1), is_newer(None, 1)
    (True, False, False, False)
    """
    return isinstance(version, int) and not isinstance(version, bool) and version > known


def _sweep_texts(path: Path) -> None:
    """Removes what killed processes have written of a file and not put in its place."""
    unfinished = re.compile(re.escape(path.name) + r"\.\d+-[0-9a-f]{8}")
    with suppress(OSError):
        for left in path.parent.iterdir():
            if unfinished.fullmatch(left.name):
                age = time.time() - left.stat().st_mtime
                if age > _ABANDONED_SECONDS:
                    left.unlink()


def sha256_of(*paths: Path) -> str:
    """Returns the hex digest of files, one behind the other; about 30 ms for 50 MB."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def size_of_folder(folder: Path) -> int:
    """Returns the bytes of all files below a folder, those that links of it lead to included."""
    found = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # it may be gone meanwhile
                stated = os.stat(os.path.join(path, name))
                found += stated.st_size if stat.S_ISREG(stated.st_mode) else 0
    return found
