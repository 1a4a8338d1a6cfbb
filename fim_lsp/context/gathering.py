"""Gathers the snippets for one place from the documents of a project, within a moment."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from itertools import chain
from typing import NamedTuple

from fim_lsp.context.chunks import IDENTIFIER, chunks
from fim_lsp.context.imports import imported_names
from fim_lsp.context.masking import masked_part
from fim_lsp.context.ranking import Candidate, best
from fim_lsp.context.related_files import in_same_folder, is_test_or_header
from fim_lsp.context.source import EVERY_SOURCE, FILE_SOURCES, Source
from fim_lsp.document import DocumentSnapshot
from model_runtime.prompt.encoder import Snippet
from model_runtime.syntax.languages import language

_MAX_SECONDS = 0.03
_WINDOW_CHARACTERS = 1500
"""Characters before the cursor's line whose names are looked for in other files."""
_KNOWN_CHARACTERS = 20_000
"""Characters on each side of the cursor; lines that stand there are known."""
_MAX_SNIPPETS = 8


class Gathered(NamedTuple):
    """Snippets, best first, and the source of each."""

    snippets: tuple[Snippet, ...] = ()
    sources: tuple[Source, ...] = ()

    def tokens_by_source(self, tokens: Sequence[int]) -> Mapping[Source, int] | None:
        """Returns how many tokens of each source stand in a prompt; None where there are none.

        Args:
            tokens: of each snippet, in their order.
        """
        counts: Counter[Source] = Counter()
        for source, number in zip(self.sources, tokens, strict=True):
            if number:
                counts[source] += number
        return counts or None


Files = Callable[[Set[str]], Iterable[DocumentSnapshot]]
"""Reads files of the project that define one of some names, or lie beside the document."""


def no_files(names: Set[str]) -> Iterable[DocumentSnapshot]:
    """Reads no file, where nothing is known of the project."""
    return ()


def gather(
    snapshot: DocumentSnapshot,
    open_documents: Iterable[DocumentSnapshot],
    files: Files = no_files,
    sources: Set[Source] = EVERY_SOURCE,
    clock: Callable[[], float] = time.perf_counter,
) -> Gathered:
    """Returns what helps at the cursor, which is the same for all texts of the cursor's line.

    Args:
        snapshot: the document, with the cursor.
        open_documents: the last visited first, read one by one; the offset of each is where it was
            edited last.
        files: called with the names that are imported and stand near the cursor; an open document
            stands for its file.
        sources: those that may be used.
        clock: seconds; after 0.03 of them what was looked at is all there is.
    """
    end = clock() + _MAX_SECONDS
    before, after = _without_line(snapshot)
    wanted = frozenset(IDENTIFIER.findall(_last_lines(before, _WINDOW_CHARACTERS)))
    if not wanted:
        return Gathered()
    imported = imported_names(before)
    known = {
        line.strip()
        for part in (before[-_KNOWN_CHARACTERS:], after[:_KNOWN_CHARACTERS])
        for line in part.splitlines()
    }
    seen = {snapshot.uri}
    candidates: list[Candidate] = []
    for is_open, document in chain(
        ((True, document) for document in open_documents),
        ((False, file) for file in _read(files, imported & wanted, sources)),
    ):
        if document.uri in seen:
            continue
        if clock() > end:
            break
        seen.add(document.uri)
        candidates += _candidates(snapshot, document, is_open, imported, sources)
    chosen = best(candidates, wanted, known, _MAX_SNIPPETS)
    return Gathered(
        tuple(_snippet(candidate) for candidate in chosen),
        tuple(candidate.source for candidate in chosen),
    )


def _read(files: Files, names: Set[str], sources: Set[Source]) -> Iterator[DocumentSnapshot]:
    """Yields files one by one, since to read one takes time."""
    if sources & FILE_SOURCES:
        yield from files(names if Source.IMPORTS in sources else frozenset())


def _candidates(
    snapshot: DocumentSnapshot,
    document: DocumentSnapshot,
    is_open: bool,
    imported: Set[str],
    sources: Set[Source],
) -> Iterator[Candidate]:
    """Yields chunks of a document, each with the first source that it may come from."""
    of_document = _sources_of(snapshot, document, is_open)
    text, line = masked_part(document)
    for chunk in chunks(text):
        is_imported = chunk.name in imported
        possible = [Source.IMPORTS] if is_imported else []
        if is_open and document.offset > 0 and chunk.start <= line < chunk.end:
            possible.append(Source.EDITS)
        source = next((one for one in (*possible, *of_document) if one in sources), None)
        if source is not None:
            yield Candidate(chunk, document, source, source is Source.IMPORTS)


def _sources_of(
    snapshot: DocumentSnapshot, document: DocumentSnapshot, is_open: bool
) -> list[Source]:
    found = [Source.OPEN] if is_open else []
    if is_test_or_header(snapshot.path, document.path):
        found.append(Source.TEST_OR_HEADER)
    if in_same_folder(snapshot.path, document.path):
        found.append(Source.SAME_FOLDER)
    return found


def _without_line(snapshot: DocumentSnapshot) -> tuple[str, str]:
    """Returns the text before and after the cursor's line."""
    hole = snapshot.hole
    above, end, _ = hole.prefix.rpartition("\n")
    return above + end, hole.suffix.partition("\n")[2]


def _last_lines(text: str, characters: int) -> str:
    if len(text) <= characters:
        return text
    return text[text.find("\n", len(text) - characters) + 1 :]


def _snippet(candidate: Candidate) -> Snippet:
    document = candidate.document
    mark = language(document.language_id).line_comment
    return Snippet(document.path or document.uri, candidate.chunk.text, mark)
