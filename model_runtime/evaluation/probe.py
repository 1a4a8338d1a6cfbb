"""Tries to get out of the sandbox; run inside it once, before any isolation is believed.

Standard library only: its source is sent into the sandbox with a call of `probe` at the end.
"""

from __future__ import annotations

import ctypes
import os
import socket
import time


def probe(folder: str, prefix: str, abstract_socket: str, processes: int, memory_mb: int) -> None:
    """Raises an AssertionError that names the first restriction which does not hold.

    Args:
        folder: a folder that exists outside.
        prefix: folder of the interpreter; visible inside, and must not be writable.
        abstract_socket: name on which the supervisor listens, in its own network namespace.
        processes, memory_mb: the limits that were set.
    """
    assert not os.path.exists(folder), "other files are visible"
    assert not os.path.exists("/proc/1"), "other processes are visible"
    assert not os.environ, "the environment is not empty"
    for place in ("/", "/usr", "/dev", prefix, os.path.dirname(os.__file__)):
        assert not _can_write(place), f"{place} is writable"
    assert _can_write("/tmp"), "/tmp is not writable"
    for kind, address in (
        (socket.SOCK_STREAM, f"\0{abstract_socket}"),
        (socket.SOCK_DGRAM, ("192.0.2.1", 9)),  # nothing is sent: only a route is looked up
    ):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        assert not _can_connect(family, kind, address), "the network is reachable"
    assert not _can_fork(processes), "the number of processes is not limited"
    assert not _can_allocate(memory_mb), "memory is not limited"
    assert not _can_unshare(), "new namespaces can be made"


def _can_write(folder: str) -> bool:
    path = os.path.join(folder, f"probe-{os.getpid()}")
    try:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    except OSError:
        return False
    os.unlink(path)
    return True


def _can_connect(family: int, kind: int, address: str | tuple[str, int]) -> bool:
    try:
        with socket.socket(family, kind) as connection:
            connection.connect(address)
    except OSError:
        return False
    return True


def _can_fork(processes: int) -> bool:
    children = []
    try:
        for _ in range(processes):  # with this one, one too many
            child = os.fork()
            if not child:
                time.sleep(60)
                os._exit(0)
            children.append(child)
    except OSError:
        return False
    finally:
        for child in children:
            os.kill(child, 9)
            os.waitpid(child, 0)
    return True


def _can_unshare() -> bool:
    """Tells whether a user namespace can be made, in which a program is root over a copy."""
    new_user = 0x10000000
    child = os.fork()
    if not child:
        os._exit(ctypes.CDLL(None).unshare(new_user) == 0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1


def _can_allocate(megabytes: int) -> bool:
    try:
        bytearray(megabytes << 20)
    except MemoryError:
        return False
    return True
