"""Holds the cross-file context that is available to one request."""

from __future__ import annotations

from typing import NamedTuple

from fim_lsp.context.gathering import Files, Gathered, gather, no_files
from fim_lsp.context.source import Source
from fim_lsp.document import DocumentHandle, DocumentSnapshot


class CrossFileContext(NamedTuple):
    """All that a prompt may take from other files: made on the event loop, read off it."""

    documents: tuple[DocumentHandle, ...]
    """Open documents, the last visited first; the offset of each is where it was edited last."""
    files: Files
    sources: frozenset[Source]
    version: int
    """Version of the index of files."""

    def key(self, snapshot: DocumentSnapshot) -> tuple[object, ...]:
        """Returns what differs when the model would see something else."""
        others = ((one.uri, one.version) for one in self.documents if one.uri != snapshot.uri)
        return (self.version, self.sources, *others)

    def gather(self, snapshot: DocumentSnapshot) -> Gathered:
        """Returns the parts that help at the cursor; reads the texts of other documents."""
        if not self.sources:
            return Gathered()
        others = (one.read() for one in self.documents if one.uri != snapshot.uri)
        return gather(snapshot, others, self.files, self.sources)


NO_CONTEXT = CrossFileContext((), no_files, frozenset(), 0)
"""The context of a model that other files do not help."""
