"""Asks llama.cpp's server as llama.vim of January 2026 does by default, and shows what it would.

Up to 256 lines before the cursor and 64 behind it go to `/infill` at every key that moves the
cursor, 128 tokens are asked for, and an answer is kept: while the text goes on as an answer did,
its rest is shown at once, and the next request runs meanwhile.  A request is sent when the one
before has come back.  Its requests ahead of time, for what follows a suggestion that may be taken,
are left out: they would keep the server from the keys that are counted.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tests.support.llama_cpp import LlamaCpp

SERVER_OPTIONS = ("--ctx-size", "0", "--batch-size", "1024", "--ubatch-size", "1024",
                  "--cache-reuse", "256")  # fmt: skip
"""Options of llama-server that its page recommends, as in `--fim-qwen-1.5b-default`."""

_LINES_BEFORE, _LINES_BEHIND = 256, 64
_MAX_RIGHT_OF_CURSOR = 8
"""Characters right of the cursor beyond which typing asks for nothing."""
_LOOK_BACK = 128
"""Typed characters within which an answer is looked for that began before them."""
_MAX_KEPT = 250
"""Answers that are kept."""
_OPTIONS = {
    "id_slot": 0,
    "input_extra": [],
    "n_predict": 128,
    "stop": [],
    "top_k": 40,
    "top_p": 0.9,
    "samplers": ["top_k", "top_p", "infill"],
    "stream": False,
    "cache_prompt": True,
    "t_max_prompt_ms": 500,
    "t_max_predict_ms": 250,
    "response_fields": ["content"],
}


class Around(NamedTuple):
    """The text around the cursor, as a request has it."""

    prefix: str
    """The lines before that of the cursor."""
    middle: str
    """The line left of the cursor; empty on a blank line."""
    suffix: str

    @classmethod
    def of(cls, before: str, after: str) -> Around:
        """Cuts a document at the cursor."""
        *above, left = before.split("\n")
        right, *below = after.split("\n")
        if not (left + right).strip():
            left = right = ""
        lines = [right, *below[:_LINES_BEHIND], ""]
        return cls("\n".join(above[-_LINES_BEFORE:]) + "\n", left, "\n".join(lines))


@dataclass(frozen=True, slots=True)
class Hint:
    """A text that is shown, and the time it took."""

    text: str
    milliseconds: float
    is_computed: bool
    """Whether the server was waited for."""


class LlamaVim:
    """The plugin beside one server; one key is asked for at a time."""

    def __init__(self, server: LlamaCpp) -> None:
        self._server = server
        self._kept: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._running: threading.Thread | None = None

    def hint(self, before: str, after: str) -> Hint | None:
        """Returns what is shown when the cursor has moved here; None where nothing is asked."""
        started = time.perf_counter()
        around = Around.of(before, after)
        shown = self._from_kept(around)
        wants = len(after.partition("\n")[0]) <= _MAX_RIGHT_OF_CURSOR
        if shown is None and not wants:
            return None
        is_computed = shown is None
        if is_computed:
            self.wait()  # it may be the answer for this place, or for one just before it
            shown = self._from_kept(around)
        if shown is None:
            self._ask(around)
            shown = self._from_kept(around) or ""
        elif wants and self._running is None and self._key(around) not in self._kept:
            self._running = threading.Thread(target=self._ask, args=(around,))
            self._running.start()
        took = (time.perf_counter() - started) * 1e3
        return Hint(_rendered(shown, before, after), took, is_computed)

    def wait(self) -> None:
        """Waits until the server has answered what it was asked."""
        if self._running is not None:
            self._running.join()
            self._running = None

    def _ask(self, around: Around) -> None:
        prefix, middle, suffix = around
        indent = len(middle) - len(middle.lstrip())
        request = {"input_prefix": prefix, "input_suffix": suffix, "prompt": middle,
                   "n_indent": indent, **_OPTIONS}  # fmt: skip
        self._kept[self._key(around)] = self._server.post("/infill", request)["content"]
        while len(self._kept) > _MAX_KEPT:
            self._kept.popitem(last=False)

    def _from_kept(self, around: Around) -> str | None:
        """Returns the answer for this place, else the longest rest of one that began before it."""
        here = self._kept.get(self._key(around))
        if here is not None:
            return here
        before, suffix = self._key(around)
        rests = []
        for size in range(1, min(_LOOK_BACK, len(before)) + 1):
            answer = self._kept.get((before[:-size], suffix), "")
            if answer.startswith(before[-size:]) and len(answer) > size:
                rests.append(answer[size:])
        return max(rests, key=len, default=None)

    @staticmethod
    def _key(around: Around) -> tuple[str, str]:
        return around.prefix + around.middle, around.suffix


def _rendered(answer: str, before: str, after: str) -> str:
    """Returns what of an answer is shown: not what the lines below the cursor have already."""
    lines = answer.rstrip("\n").split("\n")
    left, right = before.rpartition("\n")[2], after.partition("\n")[0]
    if not (left + right).strip():  # the answer begins at the line's start
        indentation = len(lines[0]) - len(lines[0].lstrip())
        lines[0] = lines[0][min(indentation, len(left)) :]
    below = after.split("\n")[1:]
    if _repeats(lines, left, right, below):
        return ""
    text = "\n".join(lines)
    return text if text.strip() else ""


def _repeats(lines: Sequence[str], left: str, right: str, below: Sequence[str]) -> bool:
    """Tells whether an answer is what stands behind the cursor."""
    if lines == [right] or (lines[0] == "" and list(lines[1:]) == list(below[: len(lines) - 1])):
        return True
    first = next((number for number, line in enumerate(below) if line.strip()), None)
    if first is None or left + lines[0] != below[first]:
        return False
    following = below[first + 1 :]
    if len(lines) == 2:
        return bool(following) and following[0].startswith(lines[1])
    return list(lines[1:]) == list(following[: len(lines) - 1])
