"""Counts what came of a replay, in numbers that can be added up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Figures:
    """Counts of one file, or of many."""

    keys: int = 0
    """Keys that typing alone would have cost."""
    pressed: int = 0
    """Keys that were pressed, those that accept and mend included."""
    requests: int = 0
    shown: int = 0
    """Suggestions that came up; one that is typed through counts once."""
    accepted: int = 0
    wrong: int = 0
    """Suggestions whose first line was not what came next."""
    passed: int = 0
    """Right suggestions that were not worth a key, or gone before they could be taken."""
    late: int = 0
    """Answers that came, or would have come, after the next key."""
    accepted_characters: int = 0
    kept_characters: int = 0
    """Accepted characters that were still there 30 s of replay later, or at the end."""
    cpu_seconds: float | None = None
    latencies_ms: list[float] = field(default_factory=list)
    """Times from a key to a suggestion on the screen."""
    sources: Counter[str] = field(default_factory=Counter)
    """Suggestions by the step that gave them, named as in the traces."""
    silences: Counter[str] = field(default_factory=Counter)
    """Requests without a suggestion, by `reasonCode`, or by outcome where there is no reason."""
    rules: Counter[str] = field(default_factory=Counter)
    """Texts that a filter changed or dropped, by its name."""

    def add(self, other: Figures) -> None:
        """Adds the counts of another file."""
        for name in (
            "keys", "pressed", "requests", "shown", "accepted", "wrong", "passed", "late",
            "accepted_characters", "kept_characters",
        ):  # fmt: skip
            setattr(self, name, getattr(self, name) + getattr(other, name))
        if other.cpu_seconds is not None:
            self.cpu_seconds = (self.cpu_seconds or 0.0) + other.cpu_seconds
        self.latencies_ms += other.latencies_ms
        self.sources += other.sources
        self.silences += other.silences
        self.rules += other.rules

    @property
    def saved_share(self) -> float:
        """Share of the keys that were saved; below zero when mending cost more."""
        return share(self.keys - self.pressed, self.keys)

    def latency_ms(self, percent: float) -> float | None:
        """Returns a percentile of the latencies; None where nothing was shown."""
        if not self.latencies_ms:
            return None
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]

    def as_json(self) -> dict[str, Any]:
        """Returns the figures by the names of the report."""
        cpu = self.cpu_seconds
        return {
            "keys": self.keys,
            "keysPressed": self.pressed,
            "savedShare": round(self.saved_share, 4),
            "requests": self.requests,
            "shown": self.shown,
            "accepted": self.accepted,
            "wrong": self.wrong,
            "passed": self.passed,
            "acceptedShare": round(share(self.accepted, self.shown), 4),
            "wrongPer1000Keys": round(1000 * share(self.wrong, self.keys), 1),
            "keptShare": round(share(self.kept_characters, self.accepted_characters), 4),
            "lateShare": round(share(self.late, self.requests), 4),
            "cacheShare": round(share(self.sources["cache"], sum(self.sources.values())), 4),
            "latencyMs": {"p50": _short(self.latency_ms(50)), "p95": _short(self.latency_ms(95))},
            "cpuSecondsPer1000Keys": None if cpu is None else _short(1000 * share(cpu, self.keys)),
            "silences": dict(self.silences.most_common()),
            "rules": dict(self.rules.most_common()),
        }


def share(part: float, whole: float) -> float:
    """Returns a ratio; 0 of nothing."""
    return part / whole if whole else 0.0


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
