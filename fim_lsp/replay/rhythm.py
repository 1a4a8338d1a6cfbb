"""Draws the pauses between keys from a documented distribution, or from a recording."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from pathlib import Path

from fim_lsp.errors import FimLspError

_MEAN_MS, _DEVIATION_MS = 240.0, 110.0
"""Milliseconds between two keys, about the mean and the spread that Dhakal et al. found among
168,000 people (Observations on Typing from 136 Million Keystrokes, CHI 2018)."""
_LINE_PAUSE_MS = 600.0
"""Milliseconds added before the first key of a line, where programmers think; our own choice."""
_SHORTEST_MS, _LONGEST_MS = 30.0, 5000.0


class Rhythm:
    """Draws pauses, the same ones for the same seed."""

    def __init__(self, seed: str, recorded_ms: Sequence[float] = ()) -> None:
        self._random = random.Random(seed)
        self._recorded = tuple(recorded_ms)
        variance = math.log(1 + (_DEVIATION_MS / _MEAN_MS) ** 2)
        self._sigma = math.sqrt(variance)
        self._mu = math.log(_MEAN_MS) - variance / 2

    def pause(self, *, begins_line: bool = False) -> float:
        """Returns the milliseconds until the next key: recorded, or log-normal as they are."""
        if self._recorded:
            return self._random.choice(self._recorded)
        pause = self._random.lognormvariate(self._mu, self._sigma)
        if begins_line:
            pause += _LINE_PAUSE_MS
        return min(max(pause, _SHORTEST_MS), _LONGEST_MS)


def recorded(path: Path) -> tuple[float, ...]:
    """Returns the pauses in a file: a JSON list of milliseconds.

    Raises:
        FimLspError: it holds something else.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FimLspError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise FimLspError(f"{path}: not JSON ({error})") from None
    is_list = isinstance(values, list) and bool(values)
    if not is_list or not all(type(value) in (int, float) and value >= 0 for value in values):
        raise FimLspError(f"{path}: expected a JSON list of pauses in milliseconds, as [180, 240]")
    return tuple(float(value) for value in values)
