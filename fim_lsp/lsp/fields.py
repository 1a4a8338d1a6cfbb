"""Reads fields of raw messages, which may be anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def field_at(value: Any, *keys: str) -> Any:
    """Returns the value at a path of keys, or None where there is none.

    >>> field_at({"textDocument": {"uri": "file:///a"}}, "textDocument", "uri")
    'file:///a'
    """
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
