"""A polite end: SIGTERM and Ctrl-C are heard between two steps."""

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
        """Of the signal; 0 if there was none."""


class Interrupt:
    """Within the block, the first signal only raises a flag; a second Ctrl-C ends at once."""

    def __init__(self) -> None:
        self.signal = 0
        """That was heard; 0 for none."""
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.signal and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = number
