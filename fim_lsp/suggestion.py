"""What the completion path takes beside a document and what it gives back.  No LSP types."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Trigger(Enum):
    """Why the editor asks."""

    INVOKED = 1
    """The user asked: up to `candidates` suggestions, no debounce."""
    AUTOMATIC = 2
    """Typing: one suggestion is enough."""


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
    """Who made it: the name of a model, or "project memory"."""
    is_prepared: bool = False
    """Made before it was asked for."""
