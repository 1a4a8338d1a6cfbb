"""Infers what a client does not say from its documents: that its user asked, and what was accepted.

LSP4IJ, the client of JetBrains' editors, calls each request automatic and runs no command of an
item (its version 0.20).  It asks once after an edit, and whenever its user calls for a suggestion;
so a request that follows no edit is the user's.  A text that is now as it was with a suggestion in
it was accepted.

Only a client that names `experimental.fimLsp.onlyText` among its capabilities is treated so: others
repeat a request for reasons of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

from lsprotocol import types as lsp

from fim_lsp.document import DocumentSnapshot
from fim_lsp.lsp.fields import field_at
from fim_lsp.suggestion import Completion, Trigger

_MIN_ACCEPTED = 2
"""Characters that come at once; a single one was typed."""


class TextOnlyClient:
    """The last edit of one client and what it shows; remembers nothing until `is_one` is set."""

    def __init__(self) -> None:
        """Takes the client to tell all that others tell."""
        self.is_one = False
        self._edit: tuple[str, int] | None = None
        self._shown: tuple[DocumentSnapshot, Sequence[Completion]] | None = None

    def initialize(self, capabilities: object) -> None:
        """Takes the client's capabilities, given raw."""
        self.is_one = field_at(capabilities, "experimental", "fimLsp", "onlyText") is True

    def trigger(self, snapshot: DocumentSnapshot, context: lsp.InlineCompletionContext) -> Trigger:
        """Returns who asks for a completion: the user, or typing."""
        if not self.is_one:
            is_invoked = context.trigger_kind is lsp.InlineCompletionTriggerKind.Invoked
        else:
            is_invoked = self._edit != (snapshot.uri, snapshot.version)
            self._edit = None
        return Trigger.INVOKED if is_invoked else Trigger.AUTOMATIC

    def answered(self, snapshot: DocumentSnapshot, completions: Sequence[Completion]) -> None:
        """Takes what the client shows now."""
        if self.is_one:
            self._shown = snapshot, completions

    def edited(self, uri: str, version: int, text: str) -> str | None:
        """Returns the id of the suggestion that an edit has put into a document.

        Args:
            uri: of the document.
            version: of the text after the edit.
            text: all of the document, after the edit.
        """
        self._edit = uri, version
        shown, self._shown = self._shown, None
        if shown is None or shown[0].uri != uri:
            return None
        before = shown[0].text
        if len(text) - len(before) < _MIN_ACCEPTED:
            return None
        return next((it.id for it in shown[1] if _with(before, it) == text), None)


def _with(text: str, completion: Completion) -> str:
    """Returns a text in which a suggestion was accepted."""
    return text[: completion.start] + completion.text + text[completion.end :]
