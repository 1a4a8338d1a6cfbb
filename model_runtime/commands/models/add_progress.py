"""Shows how far the addition of a model is: on a terminal, as lines of text, or as JSON lines.

JSON, one object a line on standard output, flushed:

    {"step": "fetching qwen2.5-coder-0.5b", "share": 0.43, "seconds_left": 71, "whole": 0.21}
    {"step": "checking the canary", "share": null, "seconds_left": null, "whole": null}

where `share` is that of the step and `whole` that of all steps, null where nobody knows; and last
{"added": {...}} or {"problem": "one sentence"}.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from model_runtime.printable import printable
from model_runtime.progress import OnStep, told_to, whole

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
        _print_step(what, round(share, 4), seconds_left, round(whole(share), 4))

    with told_to(tell):
        yield Watcher(_print_step, lambda _: False)


@contextmanager
def on_console(console: Console) -> Iterator[Watcher]:
    """Shows a spinner with the step, and a bar with the time left where its share is known.

    The share of all steps stands at the end.  Where the console is no terminal, each step is a
    line.
    """
    if not console.is_terminal:
        lines = _Lines(console)
        with told_to(lambda what, _: lines.print(what)):
            yield Watcher(lines.print, lambda question: _asked(console, question))
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
        TextColumn("{task.fields[of_all]}", style="dim"),
        console=console,
        transient=True,
    )
    shown, so_far = "", 0.0

    def begin(what: str, total: int | None, completed: int) -> None:
        nonlocal shown
        end()
        shown = what
        bar.add_task(printable(what), total=total, completed=completed, of_all=_of_all(so_far))

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
        nonlocal so_far
        so_far = max(so_far, whole(share))
        done = int(share * _PARTS)
        if what != shown:
            begin(what, _PARTS, done)
        bar.update(bar.task_ids[0], total=_PARTS, completed=done, of_all=_of_all(so_far))

    with told_to(tell), bar:
        yield Watcher(lambda sentence: begin(sentence, None, 0), ask)
        end()


class _Lines:
    """Prints each step as a line, once."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = ""

    def print(self, what: str) -> None:
        if what != self._last:
            self._last = what
            self._console.print(printable(what), markup=False, soft_wrap=True)


def _of_all(share: float) -> str:
    return f"{share:.0%} of all" if share > 0 else ""


def _print_step(
    what: str, share: float | None = None, seconds: int | None = None, of_all: float | None = None
) -> None:
    print_json({"step": what, "share": share, "seconds_left": seconds, "whole": of_all})


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
