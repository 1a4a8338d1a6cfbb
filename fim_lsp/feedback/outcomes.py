"""What became of what was shown: the one place that says what a rejection is.

LSP has no word for it, so the text of the document says it, at the next request for it:

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


class Outcome(Enum):
    """What a user did with a suggestion; the value is its name in the counts."""

    ACCEPTED = "accepted"
    TYPED = "typed"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Shown:
    """A suggestion on the screen."""

    completion: Completion
    before: str
    """The document's text up to where the suggestion begins."""
    by: tuple[str, str]
    """Who made it, and at which eagerness: what is counted together."""

    @property
    def first_line(self) -> str:
        """What is judged: those below it are often mended after they were taken."""
        text = self.completion.text
        start = len(text) - len(text.lstrip("\r\n"))
        end = text.find("\n", start)
        return text if end < 0 else text[:end]


def fate(shown: Shown, snapshot: DocumentSnapshot) -> Outcome | None:
    """What the document says of a suggestion; None while it says nothing.

    Args:
        snapshot: of the document it was shown in, later.
    """
    if not snapshot.text.startswith(shown.before):
        return None
    typed = snapshot.text[len(shown.before) : snapshot.offset]
    line = shown.first_line
    if typed.startswith(line):
        return Outcome.TYPED
    return None if line.startswith(typed) else Outcome.REJECTED


class OutcomeTracker:
    """Follows the last suggestion of each document until its fate is known."""

    def __init__(self) -> None:
        self._shown: dict[str, Shown] = {}

    def show(self, snapshot: DocumentSnapshot, completion: Completion, by: tuple[str, str]) -> None:
        """A suggestion is on the screen.

        The rest of one that is being typed through is still that one.
        """
        known = self._shown.get(snapshot.uri)
        if known is not None and known.completion.id == completion.id:
            return
        before = snapshot.text[: min(completion.start, snapshot.offset)]
        self._shown[snapshot.uri] = Shown(completion, before, by)

    def observe(self, snapshot: DocumentSnapshot) -> tuple[Outcome, tuple[str, str]] | None:
        """Look at the document: the fate of what was shown there, if it is known now."""
        shown = self._shown.get(snapshot.uri)
        if shown is None:
            return None
        found = fate(shown, snapshot)
        lost = not snapshot.text.startswith(shown.before) or len(shown.before) > snapshot.offset
        if found is not None or lost:
            del self._shown[snapshot.uri]
        return None if found is None or lost else (found, shown.by)

    def accept(self, completion_id: str) -> tuple[Outcome, tuple[str, str]] | None:
        """The editor says that it was accepted."""
        for uri, shown in self._shown.items():
            if shown.completion.id == completion_id:
                del self._shown[uri]
                return Outcome.ACCEPTED, shown.by
        return None

    def close(self, uri: str) -> None:
        """The document is gone."""
        self._shown.pop(uri, None)
