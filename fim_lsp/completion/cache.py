"""Answers from what was suggested before, so that typing through a suggestion asks no model.

The rest of it is the answer, for letters, for a word of it that is accepted, and for the way back:
deleting to a place that was answered before, and typing on from there.  An entry may be used only
while everything else that the model saw is the same: the text after the cursor, the settings, the
model, and the other documents that went into the prompt.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fim_lsp.suggestion import Completion

_MAX_CHARACTERS = 8_000_000
"""Characters of all entries, of which each holds its document."""


@dataclass(frozen=True, slots=True)
class CacheKey:
    """All that the model saw of one request, and where the user was."""

    uri: str
    prefix: str
    suffix: str
    context_key: object
    """Settings, model, other documents: anything comparable; a difference makes a miss."""


@dataclass(frozen=True, slots=True)
class _Entry:
    key: CacheKey
    completions: tuple[Completion, ...]


class TypeThroughCache:
    """The last answers of one editor."""

    def __init__(self, size: int = 64, characters: int = _MAX_CHARACTERS) -> None:
        """Bounds the entries in number, and in the characters of the documents in them."""
        self._entries: OrderedDict[tuple[str, str, str], _Entry] = OrderedDict()
        self._size, self._characters = size, characters
        self._held = 0

    def store(self, key: CacheKey, completions: Sequence[Completion]) -> None:
        """Remembers an answer; an empty one is remembered too, for the same place only."""
        place = (key.uri, key.prefix, key.suffix)
        if self._entries.pop(place, None) is not None:
            self._held -= _characters(key)
        self._entries[place] = _Entry(key, tuple(completions))
        self._held += _characters(key)
        while len(self._entries) > 1 and (
            len(self._entries) > self._size or self._held > self._characters
        ):
            _, oldest = self._entries.popitem(last=False)
            self._held -= _characters(oldest.key)

    def lookup(self, now: CacheKey) -> list[Completion] | None:
        """Returns what is left of suggestions that still hold; None to ask the model."""
        for entry in reversed(self._entries.values()):
            if entry.key.uri != now.uri:
                continue
            typed = typed_between(entry.key, now)
            if typed is None:
                continue
            if not typed:
                return list(entry.completions)
            rest = after_typing(entry.completions, entry.key, typed)
            if rest:
                return rest
        return None

    def forget(self, uri: str) -> None:
        """Drops what belongs to a closed document."""
        for key in [key for key in self._entries if key[0] == uri]:
            self._held -= _characters(self._entries.pop(key).key)

    def clear(self) -> None:
        """Drops all that is remembered."""
        self._entries.clear()
        self._held = 0


def _characters(key: CacheKey) -> int:
    return len(key.prefix) + len(key.suffix)


def after_typing(completions: Sequence[Completion], key: CacheKey, typed: str) -> list[Completion]:
    """Returns what is left of completions made at `key` once `typed` was typed there.

    Completions that did not say so, or say nothing more, are left out.
    """
    if not typed:
        return list(completions)
    return [
        replace(
            completion,
            text=completion.text[len(typed) :],
            start=completion.start + len(typed),
            end=completion.end + len(typed),
        )
        for completion in completions
        if completion.start == len(key.prefix)
        and completion.text.startswith(typed)
        and len(completion.text) > len(typed)
    ]


def typed_between(then: CacheKey, now: CacheKey) -> str | None:
    """Returns the text typed at the cursor between two moments; None if anything else changed."""
    if (
        len(now.prefix) < len(then.prefix)
        or now.suffix != then.suffix
        or not now.prefix.startswith(then.prefix)
        or now.context_key != then.context_key
    ):
        return None
    return now.prefix[len(then.prefix) :]
