"""Tells how far a long preparation is to whoever asked to be told; to nobody by default.

The listener belongs to the context (`contextvars`), so the code between the one who asks, a server
or a terminal, and the one who works, the writer of an engine's files, need not pass it on.

Work of several steps is divided by `part`: whoever does a part knows how it is divided further, and
not what comes before and behind it.  `whole` then tells how far all of it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[str, float], None]
"""Is told what is being done, and which share of it (0 to 1); 1 when it is over."""

OnStep = Callable[[str], None]
"""Takes a sentence at each step of a piece of work."""


def ignore_step(_: str) -> None:
    """Takes the steps of work that nobody watches."""


def _nobody(what: str, share: float) -> None:
    pass


_listener: ContextVar[Listener] = ContextVar("listener", default=_nobody)
_step: ContextVar[str] = ContextVar("step", default="")
_span: ContextVar[tuple[float, float]] = ContextVar("span", default=(0.0, 1.0))
"""Shares of the whole work at which the running part of it begins and ends."""


@contextmanager
def told_to(listener: Listener) -> Iterator[None]:
    """Tells a listener, besides those that are told already, in this block."""
    outer = _listener.get()

    def both(what: str, share: float) -> None:
        outer(what, share)
        listener(what, share)

    token = _listener.set(both)
    try:
        yield
    finally:
        _listener.reset(token)


@contextmanager
def step(what: str, share: float = 0.0) -> Iterator[None]:
    """Announces a preparation that takes this block; `advance` inside of it says how far it is.

    `share` (0 to 1) was done by an earlier run that was broken off.
    """
    token = _step.set(what)
    _listener.get()(what, share)
    try:
        yield
    finally:
        _step.reset(token)
        _listener.get()(what, 1.0)


@contextmanager
def announced(say: OnStep, what: str) -> Iterator[None]:
    """Says a sentence, and announces a preparation of the same name that takes this block."""
    say(what)
    with step(what):
        yield


@contextmanager
def part(begin: float, end: float) -> Iterator[None]:
    """Makes the steps of this block one part of the work that the block around it does.

    `begin` and `end` are shares of that work, 0 to 1, by the time that it usually takes.
    """
    start, stop = _span.get()
    token = _span.set((start + begin * (stop - start), start + end * (stop - start)))
    try:
        yield
    finally:
        _span.reset(token)


def whole(share: float) -> float:
    """Returns the share of the whole work that is done when a share of its running step is.

    A listener asks it.  With several steps in one part it may go back.
    """
    start, stop = _span.get()
    return start + min(share, 1.0) * (stop - start)


def advance(share: float) -> None:
    """Tells which share (0 to 1) of the running step is done; ignored outside of one."""
    if what := _step.get():
        _listener.get()(what, min(share, 1.0))


def tell(what: str, share: float, of_all: float) -> None:
    """Passes on what another process says of its steps, and of the whole work that it does."""
    done = whole(of_all)
    token = _span.set((done, done))
    try:
        _listener.get()(what, min(share, 1.0))
    finally:
        _span.reset(token)
