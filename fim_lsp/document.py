"""Holds a document at one moment, frozen: all that the path of a completion may know of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fim_lsp.uris import local_path
from model_runtime.prompt.encoder import Hole


@dataclass(frozen=True, slots=True)
class Indentation:
    """The indentation that the editor uses in a document (Copilot's `formattingOptions`)."""

    size: int
    """Columns per level."""
    uses_spaces: bool


@dataclass(frozen=True, slots=True)
class DocumentSnapshot:
    """Text, cursor and names of a document.  Offsets count code points."""

    uri: str
    language_id: str
    version: int
    text: str
    """The whole document; of one above a million characters, the whole lines around the cursor.

    Holds no lone surrogates: U+FFFD stands in their place.
    """
    offset: int
    """Cursor, 0 <= offset <= len(text); never between the two characters of a line end CR LF."""
    path: str = ""
    """Relative to its workspace folder where there is one; empty for untitled documents."""
    line: int = 0
    """The cursor's line in the document, counted from 0."""
    indentation: Indentation | None = None
    is_shared: bool = True
    """Whether others may see what is in it: it is no secret, and git does not ignore it."""

    @property
    def project(self) -> str:
        """Name of the folder that `path` is relative to; empty where there is none."""
        whole = local_path(self.uri) or ""
        if not self.path or not whole.endswith(f"/{self.path}"):
            return ""
        return whole[: -len(self.path) - 1].rpartition("/")[2]

    @property
    def hole(self) -> Hole:
        """Text before and after the cursor."""
        return Hole(self.text[: self.offset], self.text[self.offset :])


@dataclass(frozen=True, slots=True)
class DocumentHandle:
    """An open document at one moment, whose text is put together only when it is read.

    Handles are cheap, so that the event loop can hand out dozens of them; the texts are read on the
    engine's thread.
    """

    uri: str
    version: int
    read: Callable[[], DocumentSnapshot]
    """Returns the document as it was when the handle was made; may be called on any thread."""

    @staticmethod
    def of(snapshot: DocumentSnapshot) -> DocumentHandle:
        """Returns a handle of a document whose text is there already."""
        return DocumentHandle(snapshot.uri, snapshot.version, lambda: snapshot)
