"""Lets SIGTERM and Ctrl-C end a training between two steps."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any


class TrainingStopped(Exception):
    """The run ended before its budget did; everything is saved, and the same command goes on."""

    def __init__(self, number: int, step: int, folder: Path | None) -> None:
        reason = signal.Signals(number).name if number else "stopped as asked"
        super().__init__(
            f"{reason} after step {step}: saved to {folder}; the same command goes on from there"
        )
        self.number = number
        """Number of the signal; 0 if there was none."""


class StopSignal:
    """A context in which the first signal is only noted, and a second Ctrl-C ends at once."""

    def __init__(self) -> None:
        self.number = 0
        """Number of the signal received, or 0."""
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> StopSignal:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._handlers[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.number and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.number = number
