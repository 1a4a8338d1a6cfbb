"""What some engines can tell of themselves, beside the `Engine` that each of them is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class KeptTexts:
    """Counts the texts whose keys and values an engine keeps, so as not to read them again."""

    number: int
    """Number of the texts, or of their beginnings."""
    used_bytes: int
    """Memory that they take."""
    max_bytes: int
    """Memory that they may take; a single text may take more."""


class Unread(NamedTuple):
    """The part of a prompt of which an engine keeps nothing."""

    ids: int
    """Number of its ids."""
    seconds: float
    """Time to read them, by the last prompt; 0 while nothing is known."""


@dataclass(frozen=True, slots=True)
class WeightForms:
    """Names the number types in which an engine has loaded a model's weights."""

    writing: str
    """Number type of short passes, as those of single ids that are decoded."""
    reading: str
    """Number type of longer passes, as those of a prompt; the same where one does both."""
    has_shortlist: bool
    """Whether decoding looks at the output head in 4 bits first."""

    @property
    def text(self) -> str:
        """Part of a sentence that says the same."""
        both = self.reading == self.writing
        reads = "reads and writes" if both else f"reads with {self.reading}, writes"
        forms = f"{reads} with {self.writing}"
        return f"{forms}, a shortlist of the output head" if self.has_shortlist else forms


@runtime_checkable
class TextKeeper(Protocol):
    """Tells how much memory an engine takes for what it has read; those in this process can."""

    @property
    def kept_texts(self) -> KeptTexts:
        """The texts that are kept now; may be read in any thread."""
        ...


class ReadingClock(Protocol):
    """Tells how long an engine would read a prompt; those that keep texts in slots can."""

    def unread(self, prompt: Sequence[int]) -> Unread:
        """Returns what is left to read of a prompt; belongs to the engine's thread."""
        ...


class FormChooser(Protocol):
    """Tells in which forms it has loaded the weights; an engine that has a choice can."""

    @property
    def weight_forms(self) -> WeightForms:
        """The forms; they stay the same until the engine is closed."""
        ...

    def forget_choice(self) -> None:
        """Has the forms measured again at the next opening; the figures hold no more."""
        ...


@runtime_checkable
class Remote(Protocol):
    """Tells of the server that runs the model; an engine that is one can."""

    @property
    def server(self) -> str:
        """The place of the server, in words."""
        ...

    @property
    def has_probabilities(self) -> bool:
        """False where the server does not tell log-probabilities; they count as 0 then."""
        ...

    @property
    def stops_abandoned(self) -> bool | None:
        """Whether it stops with an answer that is given up; None where it is not known."""
        ...

    @property
    def problem(self) -> str:
        """Sentence that says why it does not answer now; empty while it does."""
        ...
