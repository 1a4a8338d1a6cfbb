"""Typing through a shown suggestion: the rest of it is the answer, and no model is asked.

That holds for letters, for a word of it that is accepted, and for the way back: deleting to a place
that was answered before, and typing on from there.  An entry may be used only while everything else
that the model saw is the same: the text after the cursor, the settings, the model, and the other
documents that went into the prompt.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace

from fim_lsp.completion import Completion

_MOST_CHARACTERS = 8_000_000
"""Each entry holds its document; with large ones, fewer entries are kept."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the model saw of one request, and where the user was."""

    uri: str
    prefix: str
    suffix: str
    surroundings: object
    """Settings, model, other documents: anything comparable; a difference makes a miss."""


@dataclass(frozen=True, slots=True)
class _Entry:
    seen: Seen
    completions: tuple[Completion, ...]


class TypeThroughCache:
    """The last suggestions, newest first."""

    def __init__(self, size: int = 64, characters: int = _MOST_CHARACTERS) -> None:
        """Bounded by a number of entries, and by the characters of the documents in them."""
        self._entries: OrderedDict[tuple[str, str, str], _Entry] = OrderedDict()
        self._size, self._characters = size, characters
        self._held = 0

    def store(self, seen: Seen, completions: list[Completion]) -> None:
        """Remember an answer; an empty one is remembered too, for the same place only."""
        key = (seen.uri, seen.prefix, seen.suffix)
        if self._entries.pop(key, None) is not None:
            self._held -= _characters(seen)
        self._entries[key] = _Entry(seen, tuple(completions))
        self._held += _characters(seen)
        while len(self._entries) > 1 and (
            len(self._entries) > self._size or self._held > self._characters
        ):
            _, oldest = self._entries.popitem(last=False)
            self._held -= _characters(oldest.seen)

    def lookup(self, now: Seen) -> list[Completion] | None:
        """Suggestions that still hold, less what was typed of them; None to ask the model."""
        for entry in reversed(self._entries.values()):
            if entry.seen.uri != now.uri:
                continue
            typed = typed_between(entry.seen, now)
            if typed is None:
                continue
            if not typed:
                return list(entry.completions)
            rest = [
                replace(
                    completion,
                    text=completion.text[len(typed) :],
                    start=completion.start + len(typed),
                    end=completion.end + len(typed),
                )
                for completion in entry.completions
                if completion.start == len(entry.seen.prefix)
                and completion.text.startswith(typed)
                and len(completion.text) > len(typed)
            ]
            if rest:
                return rest
        return None

    def forget(self, uri: str) -> None:
        """Drop what belongs to a closed document."""
        for key in [key for key in self._entries if key[0] == uri]:
            self._held -= _characters(self._entries.pop(key).seen)

    def clear(self) -> None:
        """Drop all that is remembered."""
        self._entries.clear()
        self._held = 0


def _characters(seen: Seen) -> int:
    return len(seen.prefix) + len(seen.suffix)


def typed_between(then: Seen, now: Seen) -> str | None:
    """Text typed at the cursor between two moments; None if anything else changed."""
    if (
        len(now.prefix) < len(then.prefix)
        or now.suffix != then.suffix
        or not now.prefix.startswith(then.prefix)
        or now.surroundings != then.surroundings
    ):
        return None
    return now.prefix[len(then.prefix) :]
