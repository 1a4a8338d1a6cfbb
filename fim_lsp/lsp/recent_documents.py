"""Keeps the order in which the user visited the open documents, and where each was edited last."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote

from lsprotocol import types as lsp

_START = lsp.Position(0, 0)


class RecentDocuments:
    """The open documents of one editor, by their names without escapes."""

    def __init__(self) -> None:
        self._uris: dict[str, str] = {}
        """Names as opened, the last visited one last."""
        self._edited: dict[str, lsp.Position] = {}

    def visit(self, uri: str) -> None:
        """Notes that the user is in a document now; its name is as the editor opened it."""
        self._uris.pop(unquote(uri), None)
        self._uris[unquote(uri)] = uri

    def edit(self, uri: str, place: lsp.Position) -> None:
        """Notes where the last edit of a document ended; of one that is not open, nothing."""
        if unquote(uri) in self._uris:
            self._edited[unquote(uri)] = place

    def forget(self, uri: str) -> str:
        """Forgets a document; returns its name as the editor opened it."""
        self._edited.pop(unquote(uri), None)
        return self._uris.pop(unquote(uri), uri)

    def name(self, uri: str) -> str:
        """Returns the name of a document as the editor opened it, or the one given."""
        return self._uris.get(unquote(uri), uri)

    def last_edit(self, uri: str) -> lsp.Position:
        """Returns where a document was edited last; its start if it was not."""
        return self._edited.get(unquote(uri), _START)

    def __iter__(self) -> Iterator[str]:
        """Yields names as opened, the last visited one first."""
        return iter(list(reversed(self._uris.values())))
