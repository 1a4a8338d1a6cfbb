"""Looks whether a server goes on with answers that nobody waits for any more.

Most servers stop when the connection is closed.  One that does not lets later requests wait, and
nobody would know why.  So a server that tells what it works on is asked, a moment after an answer
was given up; of any other it is not known.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from model_runtime.engines.remote.problem import Cancelled, ServerProblem

_NOTICE_TOKENS, _NOTICE_SECONDS = 3, 0.5
"""Time in which a server that writes has stopped: so many tokens, and at least so many seconds."""
_NOTICE_WHILE_READING_SECONDS = 1.5
"""Time in which one that reads a prompt has stopped; llama.cpp looks once a second."""
_AGAIN_SECONDS = 0.1
"""Time between two looks at an answer that goes on."""
_SELDOM_SECONDS = 60.0
"""Time between two looks at a server that is known to stop."""
_MAX_LOOKS = 4
"""Answers that are looked at side by side."""
PIECE_TOKENS = 16
"""Most tokens that a server is asked for at once where it would not stop before."""


class RunningAnswer:
    """An answer that a server writes."""

    def __init__(self) -> None:
        """Begins now."""
        self.tag = random.getrandbits(31)
        """Number by which the server can be asked for it."""
        self.begun = time.monotonic()
        self.tokens = 0
        self._first_at = self._last_at = self.begun

    def add_token(self) -> None:
        """Counts a token that has come."""
        self._last_at = time.monotonic()
        self._first_at = self._first_at if self.tokens else self._last_at
        self.tokens += 1

    @property
    def notice_seconds(self) -> float:
        """Time in which the server has stopped, if it does, when its connection is closed."""
        if not self.tokens:
            return _NOTICE_WHILE_READING_SECONDS
        per_token = (self._last_at - self._first_at) / max(1, self.tokens - 1)
        return max(_NOTICE_SECONDS, _NOTICE_TOKENS * per_token)


class AbandonedAnswers:
    """The answers of one server that were given up; may be used by several threads."""

    def __init__(self, is_running: Callable[[int], bool | None]) -> None:
        """Knows nothing of the server yet.

        Args:
            is_running: asks it for the answer with a tag; None where it does not tell.
        """
        self.server_stops: bool | None = None
        """Whether the server stops when an answer is given up; None while it is not known."""
        self._is_running = is_running
        self._lock = threading.Lock()
        self._is_closed = threading.Event()
        self._ended: dict[int, float] = {}
        """Moments at which answers that went on were over, by tag; infinite before."""
        self._num_looks = 0
        self._looked_at = float("-inf")
        self._can_tell = True

    def add(self, answer: RunningAnswer) -> None:
        """Takes an answer that is given up now."""
        with self._lock:
            is_due = time.monotonic() - self._looked_at >= _SELDOM_SECONDS
            if not self._can_tell or self._num_looks >= _MAX_LOOKS:
                return
            if self.server_stops and not is_due:
                return
            self._num_looks += 1
            self._looked_at = time.monotonic()
        threading.Thread(
            target=self._follow, args=(answer,), name="abandoned answer", daemon=True
        ).start()

    def number_since(self, moment: float) -> int:
        """Returns how many answers went on after `time.monotonic` showed a moment."""
        return sum(ended >= moment for ended in list(self._ended.values()))

    def most_tokens(self, wanted: int) -> int:
        """Returns how many tokens to ask for at once, so that the next request waits shortly."""
        return min(wanted, PIECE_TOKENS) if self.server_stops is False else wanted

    def forget(self) -> None:
        """Knows nothing any more: another server may have been started."""
        with self._lock:
            self.server_stops, self._can_tell, self._looked_at = None, True, float("-inf")

    def close(self) -> None:
        """Looks no more."""
        self._is_closed.set()

    def _follow(self, answer: RunningAnswer) -> None:
        """Looks at one answer until it is over."""
        seconds = answer.notice_seconds
        while not self._is_closed.wait(seconds) and self._goes_on(answer.tag):
            seconds = _AGAIN_SECONDS
        with self._lock:
            self._num_looks -= 1
            now = time.monotonic()
            if answer.tag in self._ended:
                self._ended[answer.tag] = now
            for tag, ended in list(self._ended.items()):
                if now - ended > _SELDOM_SECONDS:
                    del self._ended[tag]

    def _goes_on(self, tag: int) -> bool:
        try:
            is_running = self._is_running(tag)
        except (ServerProblem, Cancelled):
            return False
        with self._lock:
            if is_running is None:
                self._can_tell = False
            elif is_running:
                self.server_stops = False
                self._ended[tag] = float("inf")
            elif self.server_stops is None:
                self.server_stops = True
        return bool(is_running)
