"""Ranges of the numbers in a manifest; fields state them as `Annotated[int, Between(...)]`."""

from __future__ import annotations

from typing import NamedTuple


class Between(NamedTuple):
    """The range of a number, both ends included."""

    least: float
    most: float


MIN_CONTEXT = 8
"""Tokens of a context; a prompt without any text has four."""
MAX_CONTEXT = 2**20
"""Tokens of a context: several times what the largest models have, and far from what memory cannot
hold."""
