"""Values that the path of a completion takes beside a document, and gives back.  No LSP types."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Trigger(Enum):
    """The reason for which an editor asks."""

    INVOKED = 1
    """The user asked: up to `candidates` suggestions, no debounce."""
    AUTOMATIC = 2
    """Typing asked: one suggestion is enough."""


@dataclass(frozen=True, slots=True)
class SelectedSuggestion:
    """The entry selected in the editor's own suggest popup, as offsets in the document."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Completion:
    """Text to show, and what it replaces: `document[start:end]`, on the cursor's line."""

    id: str
    """Travels in the item's command, so that an acceptance can be counted."""
    text: str
    start: int
    end: int
    mean_logprob: float
    origin: str = ""
    """Name of the model that made it, or "project memory" for the line n-grams."""
    is_prefetched: bool = False
    """Whether it was made before it was asked for."""
