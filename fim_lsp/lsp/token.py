"""Makes and reads the token of a server on TCP: a new one at each start, in a file.

A client proves that it can read the file: the first line it sends is

    Authorization: Bearer TOKEN

Whoever cannot send it is disconnected before anything else is read.
"""

from __future__ import annotations

import hmac
import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fim_lsp.errors import FimLspError
from fim_lsp.lsp.access import is_private, make_private_folder, runtime_folder

_BYTES = 32
"""Random bytes of a token."""
_MAX_CHARACTERS = 200
"""Length of the longest file that may be a token."""


def token_file(port: int) -> Path:
    """Returns the path of the token of this user's server at a port."""
    return runtime_folder() / f"tcp-{port}.token"


@contextmanager
def published_token(token: str, ports: Iterable[int]) -> Iterator[None]:
    """Keeps a token in the files for these ports until the block ends.

    Raises:
        FimLspError: a file cannot be written where only this user can read it.
    """
    files = [token_file(port) for port in ports]
    try:
        for file in files:
            make_private_folder(file.parent)
            _write(file, token)
        yield
    finally:
        for file in files:
            if _content(file) == token:
                file.unlink(missing_ok=True)


def new_token() -> str:
    """Returns 43 random characters that may stand in a header."""
    return secrets.token_urlsafe(_BYTES)


def read_token(file: Path) -> str:
    """Returns the token that a server has left in a file.

    Raises:
        FimLspError: there is none, or others could have put it there.
    """
    try:
        status = file.stat()
    except OSError as error:
        raise FimLspError(f"{file} cannot be read: {error.strerror or error}") from None
    if not is_private(status):
        raise FimLspError(f"{file} is not yours alone, so it is not trusted")
    token = _content(file)
    if token is None:
        raise FimLspError(f"{file} holds no token")
    return token


def authorization(token: str) -> bytes:
    """Returns the line that proves the knowledge of a token."""
    return b"Authorization: Bearer %b\r\n" % token.encode("ascii")


def is_authorization(line: bytes, token: str) -> bool:
    """Tells whether a line holds the token; takes the same time wherever the two differ."""
    name, _, value = line.partition(b":")
    expected = authorization(token).partition(b":")[2]
    is_equal = hmac.compare_digest(value.strip(), expected.strip())
    return is_equal and name.lower() == b"authorization"


def _write(file: Path, token: str) -> None:
    """Puts a new file, which nobody else could ever open, in the place of an old one."""
    try:
        descriptor, name = tempfile.mkstemp(dir=file.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as new:
                new.write(token)
            os.replace(name, file)
        except OSError:
            os.unlink(name)
            raise
    except OSError as error:
        raise FimLspError(f"{file} cannot be written: {error.strerror or error}") from None


def _content(file: Path) -> str | None:
    try:
        with file.open(encoding="ascii") as opened:
            token = opened.read(_MAX_CHARACTERS + 1).strip()
    except (OSError, ValueError):
        return None
    return token if 0 < len(token) <= _MAX_CHARACTERS and token.isprintable() else None
