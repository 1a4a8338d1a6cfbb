"""The stream of a remote engine, which learns from its server what that had read before."""

from __future__ import annotations

from collections.abc import Generator

from model_runtime.engines.protocol import GeneratedToken, RunCounts, TokenStream


class RemoteStream(TokenStream):
    """A stream that learns from the server what it had read before."""

    def __init__(self) -> None:
        """Begins without tokens."""
        super().__init__(_nothing(), cached_tokens=0, counts=RunCounts())
        self._is_counted = False

    def read_from(self, tokens: Generator[GeneratedToken, None, None]) -> None:
        """Sets where the tokens come from."""
        self._tokens = tokens

    def count(self, cached_tokens: int | None, read_tokens: int | None) -> None:
        """Takes the counts of an answer; those of the first one say what the prompt cost."""
        if cached_tokens is not None and not self._is_counted:
            self.cached_tokens, self._is_counted = cached_tokens, True
            self.counts.read = read_tokens or 0


def _nothing() -> Generator[GeneratedToken, None, None]:
    yield from ()
