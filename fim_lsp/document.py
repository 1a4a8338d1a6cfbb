"""A document at one moment, frozen: all that the completion path may know of it."""

from __future__ import annotations

from dataclasses import dataclass

from model_runtime.prompt import Hole


@dataclass(frozen=True, slots=True)
class DocumentSnapshot:
    """Text, cursor and names at the moment of a request.  Offsets count code points."""

    uri: str
    language_id: str
    version: int
    text: str
    offset: int
    """Cursor, 0 <= offset <= len(text); never between the two characters of a line end \\r\\n."""
    path: str = ""
    """Relative to its workspace folder where there is one, for the prompt; empty for untitled
    documents.
    """

    @property
    def hole(self) -> Hole:
        """Text before and after the cursor."""
        return Hole(self.text[: self.offset], self.text[self.offset :])
