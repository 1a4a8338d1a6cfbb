"""Decides whether a shown suggestion was accepted, typed by hand or rejected.

LSP does not report rejections, so they are inferred from the text of the document at the next
request for it:

    accepted    the editor ran the item's command
    typed       the whole first line stands where it was shown, by whatever hand
    rejected    something else was typed in the first line's place
    (none)      the text before it changed, the document was closed, or nothing was typed: unknown
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from fim_lsp.document import DocumentSnapshot
from fim_lsp.suggestion import Completion

Group = tuple[str, str]
"""The origin of a suggestion, and the eagerness at which it was shown."""


class Outcome(Enum):
    """A user's reaction to a suggestion; the value is its name in the counts."""

    ACCEPTED = "accepted"
    TYPED = "typed"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class ShownText:
    """A suggestion on the screen."""

    completion: Completion
    before: str
    """The document's text up to where the suggestion begins."""
    group: Group
    """Suggestions that are counted together."""

    @property
    def first_line(self) -> str:
        """The line that is judged: those below it are often mended after they were taken."""
        text = self.completion.text
        start = len(text) - len(text.lstrip("\r\n"))
        end = text.find("\n", start)
        return text if end < 0 else text[:end]


def outcome_of(shown: ShownText, snapshot: DocumentSnapshot) -> Outcome | None:
    """Returns the outcome of a suggestion; None while the document says nothing of it.

    Args:
        shown: the suggestion.
        snapshot: a later one of the document in which it was shown.
    """
    if not snapshot.text.startswith(shown.before):
        return None
    typed = snapshot.text[len(shown.before) : snapshot.offset]
    line = shown.first_line
    if typed.startswith(line):
        return Outcome.TYPED
    return None if line.startswith(typed) else Outcome.REJECTED


class OutcomeTracker:
    """Follows the last suggestion of each document until its outcome is known."""

    def __init__(self) -> None:
        self._shown: dict[str, ShownText] = {}

    def show(self, snapshot: DocumentSnapshot, completion: Completion, group: Group) -> None:
        """Takes a suggestion that is on the screen now.

        The rest of one that is being typed through is still that one.
        """
        known = self._shown.get(snapshot.uri)
        if known is not None and known.completion.id == completion.id:
            return
        before = snapshot.text[: min(completion.start, snapshot.offset)]
        self._shown[snapshot.uri] = ShownText(completion, before, group)

    def observe(self, snapshot: DocumentSnapshot) -> tuple[Outcome, Group] | None:
        """Returns the outcome of what was shown in a document, if it is known now."""
        shown = self._shown.get(snapshot.uri)
        if shown is None:
            return None
        found = outcome_of(shown, snapshot)
        lost = not snapshot.text.startswith(shown.before) or len(shown.before) > snapshot.offset
        if found is not None or lost:
            del self._shown[snapshot.uri]
        return None if found is None or lost else (found, shown.group)

    def accept(self, completion_id: str) -> tuple[Outcome, Group] | None:
        """Returns the outcome of a suggestion that the editor says was accepted."""
        for uri, shown in self._shown.items():
            if shown.completion.id == completion_id:
                del self._shown[uri]
                return Outcome.ACCEPTED, shown.group
        return None

    def close(self, uri: str) -> None:
        """Forgets what was shown in a document."""
        self._shown.pop(uri, None)
