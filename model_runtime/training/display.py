"""Shows a run to a person: log lines, and on a terminal a progress line with the time left."""

from __future__ import annotations

import functools
import logging
from types import TracebackType

from rich.console import Console
from rich.logging import RichHandler
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn


@functools.cache
def console() -> Console:
    """Returns the console on standard error; log lines and the progress line must share it."""
    return Console(stderr=True)


def set_up_logging(level: int = logging.INFO) -> None:
    """Logs lines with the time; above the progress line where there is one."""
    if console().is_terminal:
        handler: logging.Handler = RichHandler(
            console=console(), show_path=False, show_level=False, log_time_format="%H:%M:%S"
        )
        logging.basicConfig(level=level, format="%(message)s", handlers=[handler])
    else:
        logging.basicConfig(level=level, format="%(asctime)s %(message)s")


def duration(seconds: float) -> str:
    """Returns a duration in words, with two units at most.

    >>> [duration(s) for s in (0.2, 75, 7_500, 200_000)]
    ['0 s', '1 min 15 s', '2 h 5 min', '2 d 7 h']
    """
    whole = int(seconds)
    for size, name, smaller, small in (
        (86_400, "d", 3_600, "h"),
        (3_600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            return f"{whole // size} {name} {whole % size // smaller} {small}"
    return f"{whole} s"


class ProgressLine:
    """Shows bar, figures and time left; nothing where standard error is no terminal."""

    def __init__(self, shown: bool, name: str) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TextColumn("{task.fields[figures]}"),
            console=console(),
            disable=not (shown and console().is_terminal),
        )
        self._task = self._progress.add_task(name, total=1.0, figures="")

    @property
    def visible(self) -> bool:
        """Whether anybody sees the line."""
        return not self._progress.disable

    def show(self, share: float, figures: str) -> None:
        """Shows the share of the budget that is used, 0 to 1, and the figures."""
        self._progress.update(self._task, completed=min(1.0, share), figures=figures)

    def __enter__(self) -> ProgressLine:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()
