"""Other files in a prompt, written by the patterns of a model's format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from model_runtime.prompt.format import PromptFormat
from model_runtime.prompt.template import Pieces, Slot, filled
from model_runtime.prompt.tokenizer import FimTokenizer


class OtherFile(Protocol):
    """A part of another file, as `Snippet` has it."""

    @property
    def path(self) -> str:
        """The path, relative to the project."""

    @property
    def text(self) -> str:
        """Whole lines."""

    @property
    def line_comment(self) -> str:
        """The mark of a line comment in the file's language."""


@dataclass(frozen=True, slots=True)
class Context:
    """Ids that tell of other files."""

    parts: dict[Slot, list[int]]
    """Ids of the slots for context and own file; a slot that stays empty may be missing."""
    tokens_of_files: tuple[int, ...]
    """Number of ids of each file; 0 for one that did not fit."""

    @property
    def tokens(self) -> int:
        """Number of all ids."""
        return sum(map(len, self.parts.values()))


class ContextWriter:
    """Writes other files for one tokenizer and one format."""

    def __init__(self, tokenizer: FimTokenizer, prompt_format: PromptFormat) -> None:
        """Remembers the ids of the last files, which are the same text at every key."""
        self._format = prompt_format.context
        self._slots = [slot for slot in _SLOTS if slot in prompt_format.template]
        self._encode = lru_cache(maxsize=32)(tokenizer.encode)

    def write(
        self, files: Sequence[OtherFile], own_path: str, repository: str, most_tokens: int
    ) -> Context:
        """Returns the ids of the files that fit whole, the best one nearest to the cursor.

        Args:
            files: best first.
            own_path: of the file that is completed, relative to the project.
            repository: name of the project; empty where it is not known.
            most_tokens: of all ids together.
        """
        form, names = self._format, {Slot.PATH: own_path, Slot.REPOSITORY: repository}
        own = self._ids(form.own_file, names) if Slot.OWN_FILE in self._slots else []
        opening = self._ids(form.repository, names) if repository else []
        closing = self._ids(form.closing, names)
        used = len(opening) + len(closing) + len(own)
        chosen: list[list[int]] = []
        counts = []
        for file in files if Slot.CONTEXT in self._slots else ():
            ids = self._ids(
                form.file,
                {
                    Slot.PATH: file.path,
                    Slot.CONTENT: file.text.rstrip("\n"),
                    Slot.COMMENT: file.line_comment,
                },
            )
            fits = used + len(ids) <= most_tokens
            counts.append(len(ids) if fits else 0)
            if fits:
                chosen.append(ids)
                used += len(ids)
        of_files = tuple(counts) or (0,) * len(files)
        if chosen:
            context = [*opening, *(id_ for ids in reversed(chosen) for id_ in ids), *closing]
            return Context({Slot.CONTEXT: context, Slot.OWN_FILE: own}, of_files)
        if form.names_lone_file and own_path and len(own) <= most_tokens:
            return Context({Slot.OWN_FILE: own}, of_files)
        return Context({}, of_files)

    def _ids(self, pattern: Pieces, values: dict[Slot, str]) -> list[int]:
        return filled(pattern, values, self._encode)


_SLOTS = (Slot.CONTEXT, Slot.OWN_FILE)
