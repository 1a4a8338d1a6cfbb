"""Suggests the rest of a line from the project's own lines, without a model.

A suggestion is made where its estimated probability clears the threshold of the user's eagerness.
"""

from __future__ import annotations

import math
import os
import uuid
from collections.abc import Iterable
from typing import NamedTuple

from fim_lsp.completion import filters
from fim_lsp.completion.language_filters import is_too_short
from fim_lsp.completion.line_index import LineIndex, Proposal
from fim_lsp.completion.reasons import ConfidenceFigures
from fim_lsp.completion.trace import AnsweredBy, LineNgramFigures
from fim_lsp.document import DocumentSnapshot
from fim_lsp.exclusion.judge import is_excluded_by_name, is_unshared
from fim_lsp.settings import Settings
from fim_lsp.suggestion import Completion
from fim_lsp.uris import local_path
from model_runtime.decoding.stop_rules import rest_of_line
from model_runtime.models.calibration import UNCALIBRATED
from model_runtime.prompt.encoder import Hole
from model_runtime.secret_forms import holds_secret, without_private_keys
from model_runtime.syntax.languages import language

SOURCE = AnsweredBy.LINE_NGRAMS.value
"""Origin of its completions, and its name in the acceptance statistics."""

_MAX_CHARACTERS = 120_000
"""Characters of a document; to split a larger one into lines would hold up the event loop."""
_MAX_CHARACTERS_OF_FILE = 60_000
"""Characters of a file that nobody completes now: half as many."""


class NgramSuggestion(NamedTuple):
    """A completion, and the counts that it rests on."""

    completion: Completion
    figures: LineNgramFigures


class LineNgramSuggester:
    """Knows the lines of one editor's project, and completes from them."""

    def __init__(self) -> None:
        self.index = LineIndex()
        self._excluded: tuple[str, ...] = ()
        self._last = ("", "", "")

    def learn(self, snapshot: DocumentSnapshot, settings: Settings) -> None:
        """Indexes a document that may be shared, without the line that is being written.

        It stays in the index after it was closed: it is a file of the project still.
        """
        if settings.exclude != self._excluded:
            self._excluded = settings.exclude
            self.forget_all(
                path for path in self.index.paths if is_excluded_by_name(path, settings.exclude)
            )
        if len(snapshot.text) <= _MAX_CHARACTERS:
            name = local_path(snapshot.uri) or snapshot.uri
            above = snapshot.hole.prefix.rpartition("\n")[0]
            below = snapshot.hole.suffix.partition("\n")[2]
            now = (name, above, below)
            if now != self._last:  # else only the cursor's line is another one
                self.index.add(name, without_private_keys(f"{above}\n{below}"))
                self._last = now

    def learn_file(self, path: str, text: str) -> None:
        """Indexes a file of the project, unless it is indexed already, or there is no room."""
        if path not in self.index and len(text) <= _MAX_CHARACTERS_OF_FILE:
            self.index.add_if_room(path, without_private_keys(text))

    def forget(self, uri: str) -> bool:
        """Forgets a file, or all in a folder; tells whether anything was known."""
        name = local_path(uri) or uri
        return self.forget_all(
            path for path in self.index.paths if path == name or path.startswith(f"{name}/")
        )

    def forget_missing(self) -> bool:
        """Forgets files that have gone from the disk; tells whether anything was known."""
        return self.forget_all(path for path in self.index.paths if not os.path.lexists(path))

    def forget_all(self, paths: Iterable[str]) -> bool:
        """Forgets some files; tells whether anything was known."""
        known = [path for path in paths if path in self.index]
        for path in known:
            self.index.forget(path)
        self._last = ("", "", "")
        return bool(known)

    def complete(self, snapshot: DocumentSnapshot, eagerness: float) -> NgramSuggestion | None:
        """Returns the rest of the line, if it is likely enough at this eagerness."""
        threshold = UNCALIBRATED.least_probability(eagerness)  # its estimates need no other table
        hole = snapshot.hole
        if rest_of_line(hole).strip():
            return None
        for proposal in self.index.propose(hole.prefix):
            line = hole.prefix.rpartition("\n")[2] + proposal.text
            if proposal.probability < threshold or holds_secret(line):
                continue
            text, replaced, _ = filters.clean(
                proposal.text,
                Hole(hole.prefix, hole.suffix.replace("\r\n", "\n")),
                language(snapshot.language_id),
                snapshot.indentation,
            )
            if is_too_short(text):
                continue
            completion = Completion(
                uuid.uuid4().hex,
                text,
                snapshot.offset,
                snapshot.offset + replaced,
                math.log(proposal.probability),
                SOURCE,
            )
            return NgramSuggestion(completion, _figures(proposal, threshold, eagerness))
        return None


def _figures(proposal: Proposal, threshold: float, eagerness: float) -> LineNgramFigures:
    return LineNgramFigures(
        written_before=proposal.num_continued,
        of_times=proposal.num_started,
        under_same_line=proposal.is_under_same_line,
        confidence=ConfidenceFigures(proposal.probability, threshold, eagerness),
    )


def unshared(paths: Iterable[str], exclude: tuple[str, ...]) -> list[str]:
    """Returns the files that may be no context for others, as things stand on the disk."""
    return [path for path in paths if is_unshared(path, exclude)]
