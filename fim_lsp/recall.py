"""When what the project has written before is worth showing in place of asking a model."""

from __future__ import annotations

import math
import os
import uuid
from collections.abc import Iterable
from typing import Any, NamedTuple

from fim_lsp import postprocess
from fim_lsp.completion import Completion
from fim_lsp.document import DocumentSnapshot
from fim_lsp.exclusions import is_excluded_by_name, is_unshared
from fim_lsp.language_rules import is_too_short
from fim_lsp.project_memory import ProjectMemory
from fim_lsp.settings import Settings
from fim_lsp.uris import local_path
from model_runtime.calibration import UNCALIBRATED
from model_runtime.languages import language
from model_runtime.prompt import Hole
from model_runtime.stopping import rest_of_line

SOURCE = "project memory"
"""Its name in the decision trail and in the counts."""

_MOST_CHARACTERS = 120_000
"""Of a document; to split a larger one into lines would hold up the event loop."""
_MOST_CHARACTERS_OF_FILE = 60_000
"""Of a file that nobody asks for now: half as long."""


class Recalled(NamedTuple):
    """What to show, and why, for the decision trail."""

    completion: Completion
    notes: dict[str, Any]


class Recall:
    """The memory of one editor's project: learns from what is completed, and answers from it."""

    def __init__(self) -> None:
        self.memory = ProjectMemory()
        self._excluded: tuple[str, ...] = ()
        self._last = ("", "", "")

    def learn(self, snapshot: DocumentSnapshot, settings: Settings) -> None:
        """Know the document without the line that is being written.

        The caller has made sure that it may be shared.  It is known after it was closed, too: it
        is a file of the project still.
        """
        if settings.exclude != self._excluded:
            self._excluded = settings.exclude
            self.forget_all(
                path for path in self.memory.paths if is_excluded_by_name(path, settings.exclude)
            )
        if len(snapshot.text) <= _MOST_CHARACTERS:
            name = local_path(snapshot.uri) or snapshot.uri
            above = snapshot.hole.prefix.rpartition("\n")[0]
            below = snapshot.hole.suffix.partition("\n")[2]
            now = (name, above, below)
            if now != self._last:  # else only the cursor's line is another one
                self.memory.add(name, f"{above}\n{below}")
                self._last = now

    def learn_file(self, path: str, text: str) -> None:
        """Know a file of the project, unless it is open and better known, or there is no room."""
        if path not in self.memory and len(text) <= _MOST_CHARACTERS_OF_FILE:
            self.memory.add_if_room(path, text)

    def forget(self, uri: str) -> bool:
        """Know nothing of this file, or of those in this folder; whether anything was known."""
        name = local_path(uri) or uri
        return self.forget_all(
            path for path in self.memory.paths if path == name or path.startswith(f"{name}/")
        )

    def forget_missing(self) -> bool:
        """Know nothing of files that have gone from the disk; whether anything was known."""
        return self.forget_all(path for path in self.memory.paths if not os.path.lexists(path))

    def forget_all(self, paths: Iterable[str]) -> bool:
        """Know nothing of these files; whether anything was known."""
        known = [path for path in paths if path in self.memory]
        for path in known:
            self.memory.forget(path)
        self._last = ("", "", "")
        return bool(known)

    def complete(self, snapshot: DocumentSnapshot, eagerness: float) -> Recalled | None:
        """The rest of the line, if it is likely enough for this setting of the dial."""
        least = UNCALIBRATED.least_probability(eagerness)  # its estimates need no other table
        hole = snapshot.hole
        if rest_of_line(hole).strip():
            return None
        for proposal in self.memory.propose(hole.prefix):
            if proposal.probability < least:
                continue
            text, replaced, _ = postprocess.clean(
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
            notes = {
                "writtenBefore": proposal.support,
                "ofTimes": proposal.seen,
                "underSameLine": proposal.is_under_same_line,
                "probability": round(proposal.probability, 3),
                "leastProbability": round(least, 3),
                "eagerness": eagerness,
            }
            return Recalled(completion, notes)
        return None


def unshared(paths: Iterable[str], exclude: tuple[str, ...]) -> list[str]:
    """The files that may be no context for others, as things stand on the disk."""
    return [path for path in paths if is_unshared(path, exclude)]
