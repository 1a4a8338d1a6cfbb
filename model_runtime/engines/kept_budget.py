"""Decides how much memory an engine may take for what it has read of texts."""

from __future__ import annotations

import logging

from model_runtime.memory import available_memory

logger = logging.getLogger(__name__)

USUAL_BYTES = 96 * 2**20
"""Memory for texts where that is enough for `USUAL_TEXTS` of them."""
USUAL_TEXTS = 4
"""Prompts that any model should keep: two documents, where one jumped to, what one edited."""
TEXT_IDS = 1024
"""Ids of a prompt and its answer, as the settings have them by default, rounded up."""
_SHARE = 4
"""The usual memory is at most this part of what is free, and a user's own twice as much."""


def usual_budget(row_bytes: int, texts: int = USUAL_TEXTS) -> int:
    """Returns the bytes that are taken where memory is plentiful.

    Args:
        row_bytes: bytes of the keys and values of one id.
        texts: number of prompts that should be kept of any model.
    """
    return max(USUAL_BYTES, texts * TEXT_IDS * row_bytes)


def kept_budget(
    row_bytes: int,
    wanted: int | None = None,
    *,
    texts: int = USUAL_TEXTS,
    free: int | None = None,
) -> int:
    """Returns the bytes for what is kept of texts, and logs a sentence where memory is short.

    Args:
        row_bytes: bytes of the keys and values of one id.
        wanted: bytes that the user has set; None for the usual ones.
        texts: number of prompts that should be kept of any model.
        free: bytes that can be had; by default those that this machine or its container has.
    """
    free = available_memory() if free is None else free
    asked = usual_budget(row_bytes, texts) if wanted is None else wanted
    allowed = free // _SHARE if wanted is None else 2 * free // _SHARE
    if asked <= allowed:
        return asked
    logger.warning(
        "memory is short: what has been read of texts may take %d MB instead of %d MB, so more is "
        "read again; close other programs, or choose a smaller model",
        allowed // 10**6,
        asked // 10**6,
    )
    return allowed
