"""Changes files as somebody would who wants the reader to fail; the same seed makes the same change.

Bytes are flipped, cut, doubled and put in; numbers of a header become those that overflow; values
of JSON become those that nobody expects.
"""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from typing import Any

EXTREME = (
    0, 1, 2, 7, 255, 256, 2**15, 2**16 - 1, 2**20, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**33,
    2**40, 2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1,
)  # fmt: skip
"""Numbers at which sizes, offsets and their products overflow or become negative."""

VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 1.5, -0.0, 1e308, 5e-324, float("nan"), float("inf"),
    10**9, -(2**31), 2**31, 2**63, 2**64, 10**30, 10**400, "", " ", "x", "x" * 5000, "\0",
    "\x1b[2J", "../../secret", "/etc/passwd", "[/x]", "\ud800", "I64", "F8_E4M3", "float32", [],
    [0], [[]], [None], [-1, -1], [2**33, 2**33], ["x", "x"], {}, {"": {}}, {"type": "Sequence"},
    {"x": [1, {"y": None}]}, "(a+)+$", "(?:", "[", r"(.*)*\1", "<|x|>",
)  # fmt: skip
"""Values for any place of a JSON file."""


def changed_bytes(data: bytes, header: int, chance: random.Random) -> bytes:
    """Returns a binary file with one to four changes, most of them in its first `header` bytes."""
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        reach = len(data) if chance.random() < 0.1 else min(header, len(data))
        data = chance.choice(_BYTE_CHANGES)(data, chance.randrange(max(1, reach)), chance)
    return data


def changed_json(text: str, chance: random.Random) -> str:
    """Returns a JSON text with one to four changes; sometimes it is no JSON any more."""
    if chance.random() < 0.1:
        changed = changed_bytes(text.encode(), len(text), chance)
        return changed.decode("utf-8", "replace")
    value = json.loads(text)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        value = _change(value, chance)
    return json.dumps(value)


def changed_header(data: bytes, chance: random.Random) -> bytes:
    """Returns a safetensors file whose header, or the length of it, was changed."""
    (size,) = struct.unpack("<Q", data[:8])
    if chance.random() < 0.2:
        return changed_bytes(data, 8, chance)
    header = changed_json(data[8 : 8 + size].decode(), chance).encode("utf-8", "replace")
    stated = len(header) if chance.random() < 0.9 else chance.choice(EXTREME)
    return struct.pack("<Q", stated % 2**64) + header + data[8 + size :]


def _change(value: Any, chance: random.Random) -> Any:
    """Changes one place of a JSON value, in place where that is possible."""
    places: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict | list) and one:
            keys = list(one) if isinstance(one, dict) else range(min(len(one), 40))
            places += [(one, key) for key in keys]
            waiting += [one[key] for key in keys]
    if not places or chance.random() < 0.01:
        return chance.choice(VALUES)
    holder, key = chance.choice(places)
    kind = chance.randrange(8)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, dict):
        holder[chance.choice(("x", "", "__metadata__", "../x", "dtype", "shape"))] = holder.pop(key)
    elif kind == 2:
        other, at = chance.choice(places)
        if at in (other if isinstance(other, dict) else range(len(other))):
            holder[key] = json.loads(json.dumps(other[at]))
    elif kind == 3 and isinstance(holder[key], int | float):
        holder[key] = chance.choice((-1, 1, 3, 2)) * holder[key] + chance.choice((-1, 0, 1))
    elif kind == 4 and isinstance(holder, list):
        holder.insert(key, holder[key])
    elif kind == 5:
        for _ in range(chance.choice((1, 60, 200))):
            holder[key] = [holder[key]]
    else:
        holder[key] = chance.choice(VALUES)
    return value


def _flip(data: bytes, at: int, chance: random.Random) -> bytes:
    return _put(data, at, bytes([data[at] ^ (1 << chance.randrange(8))])) if data else data


def _number(data: bytes, at: int, chance: random.Random) -> bytes:
    size, form = chance.choice(((8, "<Q"), (8, "<Q"), (4, "<I"), (4, "<I"), (2, "<H"), (1, "<B")))
    number = chance.choice(EXTREME) % 2 ** (8 * size)
    at -= at % chance.choice((1, size))
    return _put(data, at, struct.pack(form, number))


def _cut(data: bytes, at: int, chance: random.Random) -> bytes:
    return data[:at]


def _leave_out(data: bytes, at: int, chance: random.Random) -> bytes:
    return data[:at] + data[at + chance.choice((1, 2, 4, 8, 100)) :]


def _put_in(data: bytes, at: int, chance: random.Random) -> bytes:
    return data[:at] + chance.randbytes(chance.choice((1, 2, 4, 8, 100))) + data[at:]


def _double(data: bytes, at: int, chance: random.Random) -> bytes:
    end = at + chance.choice((1, 8, 32, 1000))
    return data[:end] + data[at:end] + data[end:]


def _put(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


_BYTE_CHANGES: tuple[Callable[[bytes, int, random.Random], bytes], ...] = (
    _flip, _flip, _number, _number, _number, _number, _cut, _leave_out, _put_in, _double,
)  # fmt: skip
