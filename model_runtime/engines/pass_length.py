"""Chooses how many ids of a prompt run in one pass, by how long the last passes took.

Long passes read fastest.  But of a pass that is interrupted nothing is kept, so on a slow machine,
or with a large model, someone who types on would never let a long one end.
"""

from __future__ import annotations

SHORT_SECONDS, LONG_SECONDS = 0.08, 0.2
"""A pass that took less than the first could be twice as long; one of more is halved."""


class PassLength:
    """The number of ids of the next pass, between two bounds."""

    def __init__(self, fewest: int, most: int, id_seconds: float = 0.0) -> None:
        """Starts with short passes.

        Args:
            fewest: ids below which shorter passes gain nothing, since each reads all weights.
            most: ids above which longer ones read no faster.
            id_seconds: time of an id in a long pass; 0 where it is not known yet.
        """
        self._fewest, self._most = fewest, most
        self.id_seconds = id_seconds
        """Time of an id in the last pass that was long enough to tell; 0 before."""
        self.ids = fewest
        """Most ids that run in the next pass."""

    def took(self, ids: int, seconds: float) -> None:
        """Learns from a pass; one of fewer ids than it might have had tells nothing."""
        if ids < self.ids:
            return
        self.id_seconds = seconds / ids
        if seconds > LONG_SECONDS:
            self.ids = max(self._fewest, self.ids // 2)
        elif seconds < SHORT_SECONDS:
            self.ids = min(self._most, self.ids * 2)
