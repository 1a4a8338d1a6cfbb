"""Lets the user who started a shared server reach it, and nobody else."""

from __future__ import annotations

import os
import socket
import stat
import struct
import sys
import warnings
from pathlib import Path

from fim_lsp.errors import FimLspError


def runtime_folder() -> Path:
    """Returns the folder for sockets and tokens of running servers; it may not exist yet.

    Raises:
        FimLspError: another user has put something in its place.
    """
    from platformdirs import user_runtime_path

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # many systems set no $XDG_RUNTIME_DIR, and need none
            return user_runtime_path("fim-lsp", appauthor=False)
    except OSError as error:
        raise FimLspError(f"there is no safe folder for running programs: {error}") from None


def default_socket() -> Path:
    """Returns the path that `serve --socket` binds and `connect` tries when none is named."""
    return runtime_folder() / "server.sock"


def make_private_folder(folder: Path) -> None:
    """Creates a folder with mode 0700, or checks that an existing one is like that.

    Raises:
        FimLspError: it cannot be created, or others can reach what lies in it.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        raise FimLspError(f"{folder} cannot be created: {error.strerror or error}") from None
    if not stat.S_ISDIR(status.st_mode) or not is_private(status):
        raise FimLspError(
            f"{folder} is not a folder that only you can reach; name another one, "
            f"or run: chmod 700 {folder}"
        )


def is_private(status: os.stat_result) -> bool:
    """Tells whether a file belongs to this user and has no permissions for others."""
    if sys.platform == "win32":  # folders of a user are closed to other users there
        return True
    return status.st_uid == os.geteuid() and not stat.S_IMODE(status.st_mode) & 0o077


def is_peer_this_user(connection: socket.socket) -> bool:
    """Tells whether the other end of a Unix socket is a process of this user.

    Only Linux tells (unix(7), SO_PEERCRED); elsewhere the permissions of the socket are trusted.
    """
    if sys.platform != "linux":
        return True
    size = struct.calcsize("3i")
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    _, user_id, _ = struct.unpack("3i", credentials)
    return bool(user_id == os.geteuid())
