"""Decides which documents of an editor may tell others what is in them."""

from __future__ import annotations

from fim_lsp.exclusion.judge import is_unshared


class Sharing:
    """Judges each document once, for that asks the disk, and again when something may have changed.

    Bounded by the documents that are open: each one that is opened or closed clears it.
    """

    def __init__(self) -> None:
        self._verdicts: dict[tuple[str, tuple[str, ...]], bool] = {}

    def is_shared(self, uri: str, exclude: tuple[str, ...]) -> bool:
        """Tells whether a document is neither a secret, nor excluded, nor ignored by git."""
        known = self._verdicts.get((uri, exclude))
        if known is None:
            known = self._verdicts[uri, exclude] = is_unshared(uri, exclude) is None
        return known

    def look_again(self) -> None:
        """Forgets the judgments, after a file was opened, written, closed or renamed."""
        self._verdicts.clear()
