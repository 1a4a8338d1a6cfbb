"""Limits what is computed while nobody waits: a quarter of one core on average, on mains only."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

SHARE = 0.25
"""Share of one core that idle work may take on average."""
_MAX_SECONDS = 1.0
"""Most processor time that can be saved up: a burst of work after a long rest."""
_POWER_SUPPLIES = Path("/sys/class/power_supply")


class IdleBudget:
    """Processor seconds that idle work may take: an account that fills with time.

    Over any stretch of time the work takes at most its share, what was saved up, and one job: a
    job that takes more than there is leaves a debt, and none begins before that is paid.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begins with a full account; `clock` returns seconds."""
        self._clock = clock
        self._balance, self._filled_at = _MAX_SECONDS, clock()

    def allows(self) -> bool:
        """Tells whether a job may begin."""
        self._fill()
        return self._balance > 0

    def spend(self, seconds: float) -> None:
        """Takes the processor time of a job from the account."""
        self._fill()
        self._balance -= seconds

    def _fill(self) -> None:
        now = self._clock()
        earned = SHARE * max(0.0, now - self._filled_at)
        self._balance, self._filled_at = min(self._balance + earned, _MAX_SECONDS), now


def is_on_battery(supplies: Path = _POWER_SUPPLIES) -> bool:
    """Tells whether the machine runs on its battery, as far as the system says so.

    Linux does, in /sys/class/power_supply (Documentation/ABI/testing/sysfs-class-power).  Other
    systems are not asked, and count as mains.
    """
    discharges = False
    try:
        found = list(supplies.iterdir())
    except OSError:
        return False
    for supply in found:
        kind = _read(supply / "type")
        if kind in ("Mains", "USB", "Wireless") and _read(supply / "online") == "1":
            return False
        # A mouse's battery has the scope Device.
        if kind == "Battery" and _read(supply / "scope") != "Device":
            discharges = discharges or _read(supply / "status") == "Discharging"
    return discharges


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
