"""Holds the steps of the tour: a small file with gaps, and what there is to be tried at each gap.

The gaps are places at which the embedded model writes what is said of them; another model may write
something else there, and the words of a step are true for that as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

FILE_NAME = "ring_buffer.py"


class Action(Enum):
    """A key of the tour, by what it does."""

    TAKE = "take"
    TAKE_WORD = "take a word"
    DISMISS = "dismiss"
    GO_ON = "go on"


@dataclass(frozen=True, slots=True)
class Step:
    """One gap of the file, and what is to be tried there."""

    title: str
    words: str
    action: Action
    before: str
    """Text of the file between the gap before and this one."""
    typed: str
    """Text that is typed before the person's turn."""
    rest: str
    """Text that completes the gap, whether it was suggested or not."""


STEPS = (
    Step(
        title="A suggestion",
        words="Behind the cursor is what the model would write.",
        action=Action.TAKE,
        before='''\
"""A ring buffer."""

from collections.abc import Iterator


class RingBuffer:
    """Keeps the last values."""

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError("size must be positive")
        self.values: list[float] = []
        self.size = size
        self.start = 0

    def mean(self) -> float:
        return sum(self.values) / len(self.values)

    def is_full(self) -> bool:
        ''',
        typed="return len(s",
        rest="elf.values) == self.size",
    ),
    Step(
        title="Word by word",
        words="A suggestion can be taken in parts, as far as it is right.",
        action=Action.TAKE_WORD,
        before="""

    def clear(self) -> None:
        """,
        typed="self.values.c",
        rest="lear()",
    ),
    Step(
        title="Silence",
        words="Where the model is not sure, nothing is shown; you can ask why.",
        action=Action.GO_ON,
        before="""
        """,
        typed="self.",
        rest="start = 0",
    ),
    Step(
        title="Not this one",
        words="Models err: the oldest goes here. Typing on works, too.",
        action=Action.DISMISS,
        before="""

    def overwrite(self, value: float) -> None:
        """,
        typed="self.values[",
        rest="self.start] = value",
    ),
)

END = "\n\n    def total(self) -> float:\n        "
"""Text behind the last gap; the person goes on at the end of it."""

TO_TRY = "return su"
"""Beginning of what could be typed there."""


def text_with_gaps() -> str:
    """Returns the file as it is before the tour."""
    return "".join(step.before for step in STEPS) + END + "\n"


def places() -> Iterator[tuple[int, Step]]:
    """Yields each step with the offset of its gap once those before it are filled."""
    offset = 0
    for step in STEPS:
        offset += len(step.before)
        yield offset, step
        offset += len(step.typed + step.rest)
