"""The decision trail: for each recent request, what came of it, why, and where the time went."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from fim_lsp.completion.hints import remedy

_KEPT = 50


@dataclass(slots=True)
class RequestTrace:
    """One request on its way.  `outcome` is shown, nothing, superseded, cancelled or failed."""

    uri: str
    trigger: str
    number: int = 0
    """Counts the requests of one editor from 1, so that a reader can tell new ones from old."""
    outcome: str = ""
    reason: str = ""
    """Why nothing was shown; empty when something was."""
    source: str = ""
    """cache, running (a generation that was under way), project memory, or model."""
    details: dict[str, Any] = field(default_factory=dict)
    """Tokens by source, log-probabilities, rules that changed the text."""
    timings_ms: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time one step of the path."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.add_ms(name, (time.perf_counter() - begun) * 1e3)

    def add_ms(self, name: str, milliseconds: float) -> None:
        """Count milliseconds for a step."""
        self.timings_ms[name] = self.timings_ms.get(name, 0.0) + milliseconds

    def absorb(self, part: RequestTrace) -> None:
        """Take over what was noted on the engine's thread, which may outlive the request."""
        self.details |= part.details
        for name, milliseconds in part.timings_ms.items():
            self.add_ms(name, milliseconds)
        if part.outcome:
            self.outcome, self.reason = part.outcome, part.reason

    def nothing(self, reason: str) -> None:
        """No suggestion, and why."""
        self.outcome, self.reason = "nothing", reason

    def finish(self) -> None:
        """Stop the clock."""
        self.timings_ms["total"] = (time.perf_counter() - self.started) * 1e3

    def as_json(self) -> dict[str, Any]:
        """The shape that `fimLsp/explain` answers with."""
        todo = remedy(self.outcome, self.reason, self.details)
        return {
            "number": self.number,
            "uri": self.uri,
            "trigger": self.trigger,
            "outcome": self.outcome,
            "reason": self.reason,
            **({"remedy": todo} if todo else {}),
            "source": self.source,
            **self.details,
            "timingsMs": {name: round(ms, 2) for name, ms in self.timings_ms.items()},
        }

    def summary(self) -> str:
        """One line for the log; holds no text of the user's."""
        steps = " ".join(f"{name}={ms:.1f}" for name, ms in self.timings_ms.items())
        reason = f" ({self.reason})" if self.reason else ""
        return f"{self.outcome}{reason} {self.source or '-'} ms: {steps}"


class RequestLog:
    """The last decisions, newest last."""

    def __init__(self) -> None:
        self._decisions: deque[RequestTrace] = deque(maxlen=_KEPT)
        self._added = 0

    def add(self, decision: RequestTrace) -> None:
        """Keep a finished decision, and number it."""
        self._added += 1
        decision.number = self._added
        self._decisions.append(decision)

    def as_json(self) -> list[dict[str, Any]]:
        """All of them, newest first."""
        return [decision.as_json() for decision in reversed(self._decisions)]
