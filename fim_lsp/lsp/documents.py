"""The open documents, kept as LSP says: the editor's text is the truth, the disk is never read.

Stands in for pygls' own documents, which split lines with `str.splitlines` (an edit below a form
feed or U+2028 lands on the wrong line), copy the whole text at each edit, and read files that the
editor did not open.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import unquote

from lsprotocol import types as lsp
from pygls.workspace import TextDocument, Workspace

from fim_lsp.lsp.positions import LINE_END, Encoding, Position, num_units
from fim_lsp.lsp.text_buffer import TextBuffer, without_surrogates
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
        self._shown = ("", "")

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

    def around(self, position: lsp.Position) -> tuple[str, int]:
        """The text for a model, and the position's offset in it; see `TextBuffer.around`."""
        text, offset = self._buffer.around(Position(position.line, position.character))
        if self._shown[0] is not text:  # most documents are looked at more often than edited
            self._shown = (text, without_surrogates(text))
        return self._shown[1], offset

    def offset_of(self, position: lsp.Position) -> int:
        """Code points before a position, which is clamped into the text."""
        return self._buffer.offset_of(Position(position.line, position.character))

    def line_of(self, position: lsp.Position) -> int:
        """The line of a position, clamped likewise."""
        return min(position.line, self._buffer.num_lines - 1)

    def apply_change(self, change: lsp.TextDocumentContentChangeEvent) -> None:
        """Apply one change; its positions refer to the text after the change before it."""
        if isinstance(change, lsp.TextDocumentContentChangePartial):
            start, end = change.range.start, change.range.end
            self._buffer.replace(
                Position(start.line, start.character),
                Position(end.line, end.character),
                change.text,
            )
        else:
            self._buffer = TextBuffer(change.text, self._encoding)


class OpenDocuments(Workspace):
    """The documents and folders of one editor."""

    @property
    def encoding(self) -> Encoding:
        """What a character of a position counts."""
        return cast(Encoding, str(getattr(self.position_encoding, "value", self.position_encoding)))

    def get(self, uri: str) -> OpenDocument | None:
        """The open document of that name."""
        return cast("OpenDocument | None", self.text_documents.get(unquote(uri)))

    def update_text_document(
        self,
        text_doc: lsp.VersionedTextDocumentIdentifier,
        change: lsp.TextDocumentContentChangeEvent,
    ) -> None:
        """Apply a change; one to a document that was never opened is dropped with a log line."""
        if self.get(text_doc.uri) is None:
            logger.warning("change of %s, which is not open, ignored", text_doc.uri)
        else:
            super().update_text_document(text_doc, change)

    def relative_path(self, uri: str) -> str:
        """Path of a file below its innermost workspace folder, with slashes.

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

    def _create_text_document(
        self,
        doc_uri: str,
        source: str | None = None,
        version: int | None = None,
        language_id: str | None = None,
    ) -> OpenDocument:
        # A private hook of pygls 2.1; tests/fim_lsp/test_documents.py notices if it goes.
        return OpenDocument(doc_uri, source, version, language_id, self.encoding)


def end_of_edit(
    change: lsp.TextDocumentContentChangeEvent, encoding: Encoding
) -> lsp.Position | None:
    """Where the text of a change ends; None for a change of the whole document."""
    if not isinstance(change, lsp.TextDocumentContentChangePartial):
        return None
    start, text = change.range.start, change.text
    ends = [match.end() for match in LINE_END.finditer(text)]
    if not ends:
        return lsp.Position(start.line, start.character + num_units(text, encoding))
    return lsp.Position(start.line + len(ends), num_units(text[ends[-1] :], encoding))


def install_documents(protocol: Any) -> None:
    """Put `OpenDocuments` in the place of the workspace that pygls has just made."""
    made: Workspace = protocol.workspace
    protocol._workspace = OpenDocuments(
        made.root_uri,
        lsp.TextDocumentSyncKind.Incremental,
        list(made.folders.values()),
        made.position_encoding,
    )
