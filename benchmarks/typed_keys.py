"""Types a text as the ideal user of `fim-lsp replay` does, without a server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Protocol

from fim_lsp.replay import user
from fim_lsp.replay.user import Offer


class OnShown(Protocol):
    """Is told of each suggestion when it is shown."""

    def __call__(self, offset: int, text: str, *, is_right: bool) -> None:
        """Takes the cursor's offset, the suggestion, and whether its first line is right."""


def ignore(offset: int, text: str, *, is_right: bool) -> None:
    """Does nothing."""


def type_text(
    text: str, offset: int, suggest: Callable[[int], str | None], on_shown: OnShown = ignore
) -> Counter[str]:
    """Types a text from an offset on, and counts as `fim_lsp.replay.figures` does.

    Args:
        text: all of it.
        offset: of the first character that is typed.
        suggest: returns the suggestion at an offset, empty for none; None ends the typing.
        on_shown: is told of each suggestion.

    Returns:
        Numbers of `keys` in the text, of those that were `pressed`, and of suggestions that were
        `shown`, `right` in their first line, and `accepted`.
    """
    counts: Counter[str] = Counter()
    screen = ""
    while offset < len(text):
        if not screen:
            suggestion = suggest(offset)
            if suggestion is None:
                break
            screen = suggestion
            if screen:
                is_right = user.is_right(Offer(screen), text[offset:], "")
                counts["shown"] += 1
                counts["right"] += is_right
                on_shown(offset, screen, is_right=is_right)
        taken = user.take(Offer(screen), text[offset:], "") if screen else None
        if taken is not None:
            counts["keys"] += user.num_keys(text[offset : offset + taken.right])
            counts["pressed"] += taken.keys
            counts["accepted"] += 1
            offset, screen = offset + taken.right, ""
            continue
        key = user.key_of(text[offset:])
        counts["keys"] += 1
        counts["pressed"] += 1
        offset += len(key)
        screen = screen[len(key) :] if screen.startswith(key) else ""
    return counts
