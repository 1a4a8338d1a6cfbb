"""Runs a program in a real pseudo-terminal, and knows what a person would see there."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pexpect
import pyte

TIMEOUT_SECONDS = 120.0

KEYS = {
    "Tab": "\t",
    "Enter": "\r",
    "Esc": "\x1b",
    "Backspace": "\x7f",
    "Ctrl+C": "\x03",
    "Ctrl+Right": "\x1b[1;5C",
    "Alt+Right": "\x1bf",
    "Left": "\x1b[D",
    "Up": "\x1b[A",
}
"""Characters that xterm sends for a key."""


_QUESTION = re.compile("\x1bP.*?\x1b\\\\", re.DOTALL)
"""Device control strings, which pyte would print."""
_BEGUN_QUESTION = re.compile("\x1b(P.*)?$", re.DOTALL)


class _Screen(pyte.Screen):
    """A screen that is empty again when a program leaves the alternate one, which pyte lacks."""

    def reset_mode(self, *modes: int, **options: Any) -> None:
        super().reset_mode(*modes, **options)
        if options.get("private") and 1049 in modes:
            self.erase_in_display(2)
            self.cursor_position()


class Terminal:
    """A program with a terminal of its own, as xterm is one; a context manager."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: str,
        environment: Mapping[str, str],
        columns: int = 80,
        rows: int = 24,
    ) -> None:
        """Starts the program.

        Args:
            command: of the program.
            cwd: its working folder.
            environment: whole, not beside that of the tests.
            columns: width of the terminal.
            rows: its height.
        """
        self._emulated = _Screen(columns, rows)
        self._stream = pyte.Stream(self._emulated)
        self._unseen = ""
        self.raw = ""
        """All that the program has sent."""
        self._process: Any = pexpect.spawn(
            command[0],
            list(command[1:]),
            cwd=cwd,
            env=dict(environment),
            dimensions=(rows, columns),
            encoding="utf-8",
            # Where the tests run in the background of a shell, it has them ignore interrupts.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )
        self._emulated.write_process_input = self._process.send  # answers what a program asks

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the program, however it is."""
        if self._process.isalive():
            self._process.kill(signal.SIGKILL)
            self._process.wait()
        self._process.close()

    @property
    def lines(self) -> list[str]:
        """The text on the screen, row by row."""
        return [line.rstrip() for line in self._emulated.display]

    @property
    def text(self) -> str:
        """The text on the screen."""
        return "\n".join(self.lines)

    @property
    def cursor(self) -> tuple[int, int]:
        """Row and column of the cursor, both from 0."""
        return self._emulated.cursor.y, self._emulated.cursor.x

    def cells(self, row: int) -> list[Any]:
        """The characters of a row with their colors, as pyte has them."""
        return [self._emulated.buffer[row][column] for column in range(self._emulated.columns)]

    def press(self, *keys: str) -> None:
        """Presses keys by their names, or types texts."""
        for key in keys:
            self._process.send(KEYS.get(key, key))

    def resize(self, columns: int, rows: int) -> None:
        """Makes the terminal larger or smaller, and tells the program."""
        self._emulated.resize(rows, columns)
        self._process.setwinsize(rows, columns)

    def look(self, seconds: float = 0.02) -> bool:
        """Takes in what comes within some time; returns False when the program has ended."""
        try:
            sent = self._process.read_nonblocking(65536, timeout=seconds)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.raw += sent
        self._unseen = _QUESTION.sub("", self._unseen + sent)
        if not _BEGUN_QUESTION.search(self._unseen):
            self._stream.feed(self._unseen)
            self._unseen = ""
        return True

    def until(self, is_so: str | Callable[[], bool]) -> None:
        """Waits for a text on the screen, or until something is so.

        Raises:
            AssertionError: with the screen, if it does not come.
        """
        wanted = (lambda: is_so in self.text) if isinstance(is_so, str) else is_so
        deadline = time.monotonic() + TIMEOUT_SECONDS
        is_running = True
        while not wanted():
            assert is_running and time.monotonic() < deadline, f"{is_so} not seen in\n{self.text}"
            is_running = self.look()

    def end(self) -> int:
        """Waits until the program ends; returns its exit code."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while self.look():
            assert time.monotonic() < deadline, f"it goes on:\n{self.text}"
        self._process.close()
        return int(self._process.exitstatus if self._process.exitstatus is not None else -1)
