"""Gives pygls' workspace, where documents are kept, a public place to make them."""

from __future__ import annotations

from pygls.workspace import TextDocument, Workspace


class WorkspaceOfDocuments(Workspace):
    """A workspace of pygls that makes its documents by a public method."""

    def new_document(
        self, uri: str, source: str | None, version: int | None, language_id: str | None
    ) -> TextDocument:
        """Returns a document that the editor has opened."""
        return super()._create_text_document(uri, source, version, language_id)

    def _create_text_document(
        self,
        doc_uri: str,
        source: str | None = None,
        version: int | None = None,
        language_id: str | None = None,
    ) -> TextDocument:
        return self.new_document(doc_uri, source, version, language_id)
