"""Defines the request for a completion as it leaves the editor's session: frozen, without LSP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fim_lsp.document import DocumentHandle, DocumentSnapshot
from fim_lsp.settings import Settings
from fim_lsp.suggestion import SelectedSuggestion, Trigger

OtherDocuments = Callable[[], Sequence[DocumentHandle]]
"""Returns the other open documents, for those models whose prompts hold parts of them.

Called on the event loop, and only where the model takes such parts.
"""

OnSureText = Callable[[str], None]
"""Takes the beginning of the best suggestion; called on the engine's thread."""


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """A document with a cursor, who asks for a completion there, and the settings in force."""

    snapshot: DocumentSnapshot
    trigger: Trigger
    settings: Settings
    selected: SelectedSuggestion | None = None
    """The entry selected in the editor's own suggest popup, if one is open."""
    other_documents: OtherDocuments = tuple
    stop_strings: tuple[str, ...] = ()
    """Texts that end a suggestion and are no part of it, beside those of the model's format."""
    max_suggestions: int = 1
    """Suggestions that typing gets at most; further ones only where the best one is shown."""
    on_sure_text: OnSureText | None = None
    """Takes the text that the suggestion is certain to begin with, before the rest is written."""

    @property
    def is_automatic(self) -> bool:
        """Tells whether typing asks, and not the user."""
        return self.trigger is Trigger.AUTOMATIC

    @property
    def is_typing(self) -> bool:
        """Tells whether typing asks and no popup is open, whose entry the user may want instead."""
        return self.is_automatic and self.selected is None
