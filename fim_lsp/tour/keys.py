r"""Reads the keys of a terminal, of which only a few matter to the tour.

A terminal sends a key as a character or as a sequence that begins with ESC (ECMA-48, and xterm's
`ctlseqs`); ESC alone is the key Esc when nothing follows it at once.
"""

from __future__ import annotations

import asyncio
import codecs
import os
import re
import sys
from collections.abc import Callable
from enum import Enum
from typing import Any, TypeAlias

_ESCAPE_SECONDS = 0.05
"""Time after which ESC was a key of its own; terminals send sequences at once."""


class Key(Enum):
    """A key that writes no character."""

    TAB = "Tab"
    ENTER = "Enter"
    ESCAPE = "Esc"
    BACKSPACE = "Backspace"
    WORD = "Ctrl+Right"
    LEFT = "Left"
    RIGHT = "Right"
    UP = "Up"
    DOWN = "Down"
    LEAVE = "Ctrl+C"


Press: TypeAlias = Key | str
"""A key, or the character that it writes."""

_KEYS = {
    "\t": Key.TAB,
    "\r": Key.ENTER,
    "\n": Key.ENTER,
    "\x7f": Key.BACKSPACE,
    "\b": Key.BACKSPACE,
    "\x03": Key.LEAVE,
    "\x04": Key.LEAVE,
    "\x1b[A": Key.UP,
    "\x1bOA": Key.UP,
    "\x1b[B": Key.DOWN,
    "\x1bOB": Key.DOWN,
    "\x1b[C": Key.RIGHT,
    "\x1bOC": Key.RIGHT,
    "\x1b[D": Key.LEFT,
    "\x1bOD": Key.LEFT,
    "\x1b[1;5C": Key.WORD,  # xterm and most others
    "\x1bOc": Key.WORD,  # rxvt
    "\x1b[1;3C": Key.WORD,  # Alt+Right, where Ctrl+Right belongs to the desktop, as on a Mac
    "\x1bf": Key.WORD,  # Alt+Right of Apple's Terminal
    "\x1b\x1b[C": Key.WORD,  # Alt+Right of older ones
}
_SEQUENCE = re.compile(
    r"\x1b\x1b\[C|\x1b\[[0-?]*[ -/]*[@-~]|\x1bO.|\x1b[^\x1b\[O]|[^\x1b]", re.DOTALL
)


def decoded(text: str) -> tuple[list[Press], str]:
    r"""Returns the keys of what a terminal sent, and its end where that is half a key.

    Keys that mean nothing to the tour are left out.

    >>> decoded("a\t\x1b[1;5C\x1b")
    (['a', <Key.TAB: 'Tab'>, <Key.WORD: 'Ctrl+Right'>], '\x1b')
    """
    presses: list[Press] = []
    offset = 0
    while match := _SEQUENCE.match(text, offset):
        offset = match.end()
        sent = match[0]
        if sent in _KEYS:
            presses.append(_KEYS[sent])
        elif sent.isprintable():
            presses.append(sent)
    return presses, text[offset:]


class Keyboard:
    """The keys of standard input, one by one and unseen; a context manager.

    Only for systems that have termios; the event loop must run.
    """

    def __init__(self, press: Callable[[Press], None]) -> None:
        """Notes who takes the keys."""
        self._press = press
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._escape: asyncio.TimerHandle | None = None

    def __enter__(self) -> Keyboard:
        import termios

        self._input = sys.stdin.fileno()
        self._loop = asyncio.get_running_loop()
        self._usual: list[Any] = termios.tcgetattr(self._input)
        changed: list[Any] = termios.tcgetattr(self._input)
        changed[0] &= ~(termios.ICRNL | termios.IXON)
        changed[3] &= ~(termios.ECHO | termios.ICANON | termios.ISIG | termios.IEXTEN)
        termios.tcsetattr(self._input, termios.TCSADRAIN, changed)
        self._loop.add_reader(self._input, self._read)
        return self

    def __exit__(self, *_: object) -> None:
        import termios

        self._loop.remove_reader(self._input)
        termios.tcsetattr(self._input, termios.TCSADRAIN, self._usual)

    def _read(self) -> None:
        sent = os.read(self._input, 4096)
        if not sent:  # the terminal has gone
            self._loop.remove_reader(self._input)
            self._press(Key.LEAVE)
            return
        if self._escape is not None:
            self._escape.cancel()
        presses, self._rest = decoded(self._rest + self._decoder.decode(sent))
        for press in presses:
            self._press(press)
        if self._rest:
            self._escape = self._loop.call_later(_ESCAPE_SECONDS, self._end_of_sequence)

    def _end_of_sequence(self) -> None:
        if self._rest == "\x1b":
            self._press(Key.ESCAPE)
        self._rest = ""
