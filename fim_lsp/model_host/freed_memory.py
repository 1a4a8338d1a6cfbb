"""Returns freed memory to the system; glibc keeps much of it for what may come.

Keys and values of texts are blocks of a few megabytes that come and go in all sizes.  Among blocks
that stay, each leaves a gap that the next one often does not fit (docs/notes/memory-growth.md).
"""

from __future__ import annotations

import ctypes
import gc
import sys
from typing import Any

LARGE_BLOCK = 1 << 20
"""Bytes of a block from which on it has pages of its own, which go when it is freed."""
_M_MMAP_THRESHOLD = -3
"""The parameter of mallopt(3); set once, glibc raises it no more when such a block is freed."""


def return_large_blocks() -> None:
    """Lets each large block that is freed from now on go back to the system at once."""
    if (set_option := _of_glibc("mallopt")) is not None:
        set_option(_M_MMAP_THRESHOLD, LARGE_BLOCK)


def give_back_memory() -> None:
    """Frees what only refers to itself, as a model's tokenizer does, and returns what is free."""
    gc.collect()
    if (trim := _of_glibc("malloc_trim")) is not None:
        trim(0)


def _of_glibc(name: str) -> Any:
    """Returns a function of the C library; None where it has none of that name, as musl."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
