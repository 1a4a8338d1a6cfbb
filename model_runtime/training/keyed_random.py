"""Draws random numbers that depend on their key alone.

The generator is Philox4x64-10 (Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as
easy as 1, 2, 3"), whose n-th word is a function of (key, n).  Whoever knows the key draws the same
numbers: on any process, in any order, after any restart.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from typing import Any

import numpy as np

_WORD = 64
"""Bits of a word."""
_AT_ONCE = 64
"""Number of words made by one call; does not change them."""


class KeyedRandom(random.Random):
    """A `random.Random` over Philox, with a key in place of a seed.

    >>> KeyedRandom(0, "document").random() == KeyedRandom(0, "document").random()
    True
    >>> KeyedRandom(0, "document").random() == KeyedRandom("0", "document").random()
    False
    """

    def __new__(cls, *key: int | str) -> KeyedRandom:
        """Keeps the key from `random.Random`, which would take it for a seed."""
        return super().__new__(cls)

    def __init__(self, *key: int | str) -> None:
        digest = hashlib.blake2b(repr(key).encode(), digest_size=16).digest()
        self._word = _words(int.from_bytes(digest, "little")).__next__
        self.gauss_next = None

    def random(self) -> float:
        """Returns a multiple of 2^-53 in [0, 1)."""
        return (self._word() >> 11) * 2.0**-53

    def getrandbits(self, k: int, /) -> int:
        """Returns `k` bits, the highest ones of a word; `randrange` and its like use them."""
        if k < 0:
            raise ValueError("a number of bits cannot be negative")
        bits = 0
        for _ in range(0, k, _WORD):
            bits = bits << _WORD | self._word()
        return bits >> -k % _WORD

    def seed(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing: the key is the seed."""

    def _refuse(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(
            "a place in the stream is not kept; make KeyedRandom of the same key"
        )

    getstate = setstate = _refuse


def _words(key: int) -> Iterator[int]:
    philox = np.random.Philox(key=key)
    while True:
        yield from philox.random_raw(_AT_ONCE).tolist()
