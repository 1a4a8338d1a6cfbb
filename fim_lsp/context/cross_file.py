"""The project beside a document, as it was when a request came."""

from __future__ import annotations

from typing import NamedTuple

from fim_lsp.context.gathering import Files, Gathered, gather, no_files
from fim_lsp.context.source import Source
from fim_lsp.document import DocumentSnapshot


class CrossFileContext(NamedTuple):
    """All that a prompt may take from other files; made on the event loop, read on the engine's
    thread.
    """

    documents: tuple[DocumentSnapshot, ...]
    """Those that are open, the last visited first; the offset is where it was edited last."""
    files: Files
    sources: frozenset[Source]
    version: int
    """Of the index of files."""

    def key(self, snapshot: DocumentSnapshot) -> tuple[object, ...]:
        """Another one when the model would see something else."""
        others = ((one.uri, one.version) for one in self.documents if one.uri != snapshot.uri)
        return (self.version, self.sources, *others)

    def gather(self, snapshot: DocumentSnapshot) -> Gathered:
        """The parts that help at the cursor."""
        if not self.sources:
            return Gathered()
        return gather(snapshot, self.documents, self.files, self.sources)


NOWHERE = CrossFileContext((), no_files, frozenset(), 0)
"""For a model that other files do not help."""
