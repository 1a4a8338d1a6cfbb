"""Tells how far a long preparation is to whoever asked to be told; to nobody by default.

The listener belongs to the context (`contextvars`), so the code between the one who asks, a server
or a terminal, and the one who works, the writer of an engine's files, need not pass it on.
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


def advance(share: float) -> None:
    """Tells which share (0 to 1) of the running step is done; ignored outside of one."""
    if what := _step.get():
        _listener.get()(what, min(share, 1.0))


def tell(what: str, share: float) -> None:
    """Passes on what another process says of its steps."""
    _listener.get()(what, min(share, 1.0))
