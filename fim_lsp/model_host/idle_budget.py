"""How much may be computed while nobody waits: a quarter of one core on average, on mains only."""

from __future__ import annotations

from pathlib import Path

SHARE = 0.25
"""Of one core, on average."""
_MAX_SECONDS = 1.0
"""That can be saved up: a burst of work after a long rest."""
_POWER_SUPPLIES = Path("/sys/class/power_supply")


class IdleBudget:
    """Processor seconds that idle work may take: an account that fills with time.

    Over any stretch of time the work takes at most its share, what was saved up, and one job: a
    job that takes more than there is leaves a debt, and none begins before that is paid.
    """

    def __init__(self, now: float) -> None:
        """Times are in seconds of any one clock."""
        self._balance, self._at = _MAX_SECONDS, now

    def allows(self, now: float) -> bool:
        """Whether a job may begin."""
        self._fill(now)
        return self._balance > 0

    def spend(self, seconds: float, now: float) -> None:
        """A job has taken so much processor time."""
        self._fill(now)
        self._balance -= seconds

    def _fill(self, now: float) -> None:
        earned = SHARE * max(0.0, now - self._at)
        self._balance, self._at = min(self._balance + earned, _MAX_SECONDS), now


def is_on_battery(supplies: Path = _POWER_SUPPLIES) -> bool:
    """Whether the machine runs on its battery, as far as the system says so.

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
