"""Shows how far the addition of a model is: on a terminal, as lines of text, or as JSON lines.

JSON, one object a line on standard output, flushed:

    {"step": "fetching qwen2.5-coder-0.5b", "share": 0.43, "seconds_left": 71}
    {"step": "writing 494.0 M parameters as int8", "share": null, "seconds_left": null}

and last {"added": {...}} or {"problem": "one sentence"}.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from model_runtime.printable import printable
from model_runtime.progress import OnStep, told_to

if TYPE_CHECKING:
    from rich.console import Console


class Watcher(NamedTuple):
    """Shows an addition to the user, and asks what has to be asked."""

    step: OnStep
    ask: Callable[[str], bool]


Watch = Callable[["Console"], AbstractContextManager[Watcher]]

_PARTS = 10_000
"""Parts of a bar, which counts in whole numbers."""
_MIN_SECONDS = 0.25
"""Time between two lines of JSON about the same step."""


@contextmanager
def as_json(_: Console) -> Iterator[Watcher]:
    """Writes each step, and each share of it, as a line of JSON to standard output."""
    clock = _Clock()
    last = ("", 0.0)

    def tell(what: str, share: float) -> None:
        nonlocal last
        now = time.monotonic()
        seconds_left = clock.seconds_left(what, share, now)
        if what == last[0] and share < 1 and now - last[1] < _MIN_SECONDS:
            return
        last = (what, now)
        print_json({"step": what, "share": round(share, 4), "seconds_left": seconds_left})

    with told_to(tell):
        yield Watcher(_tell_sentence, lambda _: False)


@contextmanager
def on_console(console: Console) -> Iterator[Watcher]:
    """Shows a spinner with the step, and a bar with the time left where its share is known.

    Where the console is no terminal, each step is a line.
    """
    if not console.is_terminal:
        yield Watcher(
            lambda sentence: console.print(printable(sentence), markup=False, soft_wrap=True),
            lambda question: _asked(console, question),
        )
        return
    from rich.progress import (
        BarColumn,
        Progress,
        SpinnerColumn,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
    )
    shown = ""

    def begin(what: str, total: int | None, completed: int) -> None:
        nonlocal shown
        end()
        shown = what
        bar.add_task(printable(what), total=total, completed=completed)

    def end() -> None:
        """Leaves the step that was shown above the bar, as a line."""
        for task in bar.task_ids:
            bar.remove_task(task)
            console.print(printable(shown), style="dim", markup=False, soft_wrap=True)

    def ask(question: str) -> bool:
        bar.stop()  # it would be drawn over the question
        try:
            return _asked(console, question)
        finally:
            bar.start()

    def tell(what: str, share: float) -> None:
        done = int(share * _PARTS)
        if what != shown:
            begin(what, _PARTS, done)
        bar.update(bar.task_ids[0], completed=done)

    with told_to(tell), bar:
        yield Watcher(lambda sentence: begin(sentence, None, 0), ask)
        end()


def _tell_sentence(sentence: str) -> None:
    print_json({"step": sentence, "share": None, "seconds_left": None})


def _asked(console: Console, question: str) -> bool:
    """Returns whether the user says yes; no where nobody sits at a terminal."""
    if not sys.stdin.isatty():
        return False
    console.print(printable(question), markup=False, soft_wrap=True, end=" [y/N] ")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def print_json(value: object) -> None:
    """Writes one line that a program reads, at once."""
    print(json.dumps(value), flush=True)


class _Clock:
    """Estimates the seconds that a step still takes, by the speed since it began."""

    def __init__(self) -> None:
        self._what = ""
        self._since = self._from = 0.0

    def seconds_left(self, what: str, share: float, now: float) -> int | None:
        """Returns whole seconds; None before there is anything to judge by."""
        if what != self._what:
            self._what, self._since, self._from = what, now, share
        done = share - self._from
        if share >= 1:
            return 0
        if done <= 0 or now <= self._since:
            return None
        return round((1 - share) * (now - self._since) / done)
