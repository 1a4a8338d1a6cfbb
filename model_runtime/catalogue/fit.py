"""Tells which models of the catalogue fit this machine, and which one to take.

The best model whose texts come within a fifth of a second is recommended; where there is none, the
fastest one whose texts still come before most people have gone on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from model_runtime.catalogue.entries import CatalogueModel
from model_runtime.machine.prediction import memory_needed, predicted_key_ms
from model_runtime.machine.speed import MachineSpeed

MAX_KEY_MS = 200.0
"""Milliseconds after a key within which a text comes before the next key of most typists."""
MAX_SLOW_KEY_MS = 600.0
"""Milliseconds after which nobody waits any more."""
_MAX_SHARE = 0.8
"""Share of the memory that a model may take; the editor and what it starts need some as well."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """Says how a model would do on a machine."""

    model: CatalogueModel
    memory_bytes: int
    """Memory that it needs."""
    key_ms: float
    """Predicted 95th percentile of the time from a key to its text."""
    fits: bool
    """Whether there is memory enough."""
    is_recommended: bool
    why: str
    """One sentence for people, without a full stop."""


def assess(
    models: Iterable[CatalogueModel], speed: MachineSpeed, memory: int
) -> tuple[Assessment, ...]:
    """Returns how each model would do, in the same order; one at most is recommended.

    Args:
        models: rows of the catalogue.
        speed: of this machine.
        memory: bytes that are free on it (`available_memory`).
    """
    found = [_assessed(model, speed, memory) for model in models]
    best = _best(found)
    return tuple(
        replace(one, is_recommended=True, why=one.why + _warning(one)) if one is best else one
        for one in found
    )


def _best(found: list[Assessment]) -> Assessment | None:
    fitting = [one for one in found if one.fits]
    if quick := [one for one in fitting if one.key_ms <= MAX_KEY_MS]:
        return max(quick, key=lambda one: (one.model.quality, -one.key_ms))
    slow = [one for one in fitting if one.key_ms <= MAX_SLOW_KEY_MS]
    return min(slow, key=lambda one: one.key_ms, default=None)


def _assessed(model: CatalogueModel, speed: MachineSpeed, memory: int) -> Assessment:
    needed, milliseconds = memory_needed(model), predicted_key_ms(model, speed)
    fits = needed <= memory * _MAX_SHARE
    if fits:
        why = (
            f"fits: {_size(needed)} of {_size(memory)} memory, a suggestion {_delay(milliseconds)}"
        )
    elif needed <= memory:
        why = f"needs {_size(needed)}, and of {_size(memory)} some must be left to other programs"
    else:
        why = f"needs {_size(needed)} and {_size(memory)} are free"
    return Assessment(model, needed, milliseconds, fits, is_recommended=False, why=why)


def _warning(one: Assessment) -> str:
    return "" if one.key_ms <= MAX_KEY_MS else ", which is slower than most people type"


def _delay(milliseconds: float) -> str:
    """Returns how long after a key a text comes, no more exactly than it is known.

    >>> _delay(147), _delay(4711)
    ('about 150 ms after a key', 'about 4.7 s after a key')
    """
    return f"about {duration(milliseconds)} after a key"


def duration(milliseconds: float) -> str:
    """Returns a predicted time in two digits.

    >>> duration(6.2), duration(147), duration(998)
    ('10 ms', '150 ms', '1.0 s')
    """
    if milliseconds < 995:
        return f"{max(10, round(milliseconds, -1)):.0f} ms"
    return f"{milliseconds / 1e3:.1f} s"


def _size(number: int) -> str:
    return f"{number / 1e9:.1f} GB"
