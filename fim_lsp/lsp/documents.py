"""Keeps the open documents as LSP says: the editor's text is the truth, the disk is never read.

Stands in for pygls' own documents, which split lines with `str.splitlines` (an edit below a form
feed or U+2028 lands on the wrong line), copy the whole text at each edit, and read files that the
editor did not open.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import cast
from urllib.parse import unquote

from lsprotocol import types as lsp
from pygls.workspace import TextDocument

from fim_lsp.document import DocumentHandle, DocumentSnapshot, Indentation
from fim_lsp.lsp.document_workspace import WorkspaceOfDocuments
from fim_lsp.lsp.jsonrpc import FimProtocol
from fim_lsp.lsp.positions import LINE_END, Encoding, Position, num_units
from fim_lsp.lsp.text_buffer import FrozenText, TextBuffer
from fim_lsp.uris import path_of

logger = logging.getLogger(__name__)


class OpenDocument(TextDocument):
    """A document of the editor, or a cell of one of its notebooks."""

    def __init__(
        self,
        uri: str,
        source: str | None = None,
        version: int | None = None,
        language_id: str | None = None,
        encoding: Encoding = "utf-16",
    ) -> None:
        super().__init__(uri, source="", version=version, language_id=language_id)
        self._encoding: Encoding = encoding
        self._buffer = TextBuffer(source or "", encoding)
        self._frozen: FrozenText | None = None

    @property
    def source(self) -> str:
        """The text as the editor has it."""
        return self._buffer.text

    @property
    def lines(self) -> Sequence[str]:
        """Lines with their ends; for pygls, nothing here asks for them."""
        text = self._buffer.text
        ends = [match.end() for match in LINE_END.finditer(text)]
        return tuple(text[a:b] for a, b in zip([0, *ends], [*ends, len(text)], strict=True))

    def handle(
        self,
        position: lsp.Position,
        path: str,
        *,
        is_shared: bool,
        indentation: Indentation | None = None,
    ) -> DocumentHandle:
        """Returns the document as it is now, with the cursor at a position; its text is read later.

        Args:
            position: clamped into the text.
            path: relative to the workspace folder.
            is_shared: whether others may see what is in it.
            indentation: as the editor has it, if it says so.
        """
        if self._frozen is None:  # most documents are looked at more often than edited
            self._frozen = FrozenText(self._buffer)
        version = self.version or 0
        read = partial(
            _read,
            self._frozen,
            Position(position.line, position.character),
            uri=self.uri,
            language_id=self.language_id or "",
            version=version,
            path=path,
            is_shared=is_shared,
            indentation=indentation,
        )
        return DocumentHandle(self.uri, version, read)

    def offset_of(self, position: lsp.Position) -> int:
        """Returns the code points before a position, which is clamped into the text."""
        return self._buffer.offset_of(Position(position.line, position.character))

    def apply_change(self, change: lsp.TextDocumentContentChangeEvent) -> None:
        """Applies one change; its positions refer to the text after the change before it."""
        self._frozen = None
        if isinstance(change, lsp.TextDocumentContentChangePartial):
            start, end = change.range.start, change.range.end
            self._buffer.replace(
                Position(start.line, start.character),
                Position(end.line, end.character),
                change.text,
            )
        else:
            self._buffer = TextBuffer(change.text, self._encoding)


def _read(
    frozen: FrozenText,
    position: Position,
    *,
    uri: str,
    language_id: str,
    version: int,
    path: str,
    is_shared: bool,
    indentation: Indentation | None,
) -> DocumentSnapshot:
    """Returns a document whose text is put together now, on whatever thread."""
    text, offset = frozen.around(position)
    return DocumentSnapshot(
        uri=uri,
        language_id=language_id,
        version=version,
        text=text,
        offset=offset,
        path=path,
        line=frozen.line_of(position),
        indentation=indentation,
        is_shared=is_shared,
    )


class OpenDocuments(WorkspaceOfDocuments):
    """The documents and folders of one editor."""

    @property
    def encoding(self) -> Encoding:
        """The unit that a character of a position counts."""
        return cast(Encoding, str(getattr(self.position_encoding, "value", self.position_encoding)))

    def get(self, uri: str) -> OpenDocument | None:
        """Returns the open document of that name, with or without escapes."""
        return cast("OpenDocument | None", self.text_documents.get(unquote(uri)))

    def all(self) -> list[OpenDocument]:
        """Returns the open documents."""
        return cast("list[OpenDocument]", list(self.text_documents.values()))

    def update_text_document(
        self,
        text_doc: lsp.VersionedTextDocumentIdentifier,
        change: lsp.TextDocumentContentChangeEvent,
    ) -> None:
        """Applies a change; one to a document that was never opened is dropped with a log line."""
        if self.get(text_doc.uri) is None:
            logger.warning("change of %s, which is not open, ignored", text_doc.uri)
        else:
            super().update_text_document(text_doc, change)

    def relative_path(self, uri: str) -> str:
        """Returns the path of a file below its innermost workspace folder, with slashes.

        The file's name when it lies in no folder; empty for documents that have no path.
        """
        path = path_of(uri)
        if path is None:
            return ""
        roots = [folder.uri for folder in self.folders.values()] or [self.root_uri or ""]
        inside = [
            path[len(root) :]
            for root in (f"{(path_of(uri) or '').rstrip('/')}/" for uri in roots)
            if root != "/" and path.startswith(root)
        ]
        return min(inside, key=len) if inside else path.rpartition("/")[2]

    def new_document(
        self, uri: str, source: str | None, version: int | None, language_id: str | None
    ) -> OpenDocument:
        """Returns a document that the editor has opened."""
        return OpenDocument(uri, source, version, language_id, self.encoding)


def end_of_edit(
    change: lsp.TextDocumentContentChangeEvent, encoding: Encoding
) -> lsp.Position | None:
    """Returns where the text of a change ends; None for a change of the whole document."""
    if not isinstance(change, lsp.TextDocumentContentChangePartial):
        return None
    start, text = change.range.start, change.text
    ends = [match.end() for match in LINE_END.finditer(text)]
    if not ends:
        return lsp.Position(start.line, start.character + num_units(text, encoding))
    return lsp.Position(start.line + len(ends), num_units(text[ends[-1] :], encoding))


def install_documents(protocol: FimProtocol) -> None:
    """Puts `OpenDocuments` in the place of the workspace that pygls has just made."""
    made = protocol.workspace
    protocol.replace_workspace(
        OpenDocuments(
            made.root_uri,
            lsp.TextDocumentSyncKind.Incremental,
            list(made.folders.values()),
            made.position_encoding,
        )
    )
