"""Turns the names that editors give to documents into paths."""

from __future__ import annotations

import os
import re
from urllib.parse import unquote

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")


def path_of(uri: str) -> str | None:
    """Returns the path in a URI; None for `untitled:` and other schemes that have none."""
    match = _SCHEME.match(uri)
    if match is None or match[1] == "untitled":
        return None
    rest = re.split("[?#]", uri[match.end() :], maxsplit=1)[0]
    if rest.startswith("//"):
        rest = "/" + rest[2:].partition("/")[2]
    return unquote(rest) if rest.startswith("/") else None


def local_path(uri: str, *, is_windows: bool = os.name == "nt") -> str | None:
    """Returns the path that a URI names, with slashes, as the functions of the system take it.

    >>> local_path("file:///c%3A/work/a%20b.py"), local_path("untitled:One")
    ('c:/work/a b.py', None)
    >>> local_path("file://server/share/a.py", is_windows=True)
    '//server/share/a.py'
    """
    path = path_of(uri)
    if path is None:
        return None
    host = re.match(r"file://([^/?#]+)", uri, re.IGNORECASE)
    if is_windows and host and host[1].lower() != "localhost":  # a share of another machine
        return f"//{unquote(host[1])}{path}"
    return re.sub("^/(?=[A-Za-z]:/)", "", path)


def is_on_disk(uri: str) -> bool:
    """Tells whether there is a file or a link of that name."""
    path = local_path(uri)
    return path is not None and "\0" not in path and os.path.lexists(path)
