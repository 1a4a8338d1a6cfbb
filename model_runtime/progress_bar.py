"""Shows a bar in the terminal for preparations that are told of by `progress`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from model_runtime.progress import told_to

if TYPE_CHECKING:
    from rich.progress import Progress


@contextmanager
def progress_bar() -> Iterator[None]:
    """Shows what this block prepares on standard error, while it does, if that is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    bar: Progress | None = None

    def show(what: str, share: float) -> None:
        nonlocal bar
        if bar is None and share < 1:
            bar = _started(what)
        if bar is not None:
            bar.update(bar.task_ids[0], completed=share)
        if bar is not None and share >= 1:
            bar.stop()
            bar = None

    try:
        with told_to(show):
            yield
    finally:
        if bar is not None:
            bar.stop()


def _started(what: str) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    bar.add_task(what, total=1.0)
    bar.start()
    return bar
