"""The stream of a remote engine, which learns from its server what that had read before."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

from model_runtime.engines.protocol import GeneratedToken, RunCounts, TokenStream


@dataclass
class ToldCounts:
    """Holds what a server tells of a prompt; the first answer says what it cost.

    The counts are apart from the stream, for what makes its tokens must not hold it: the answer of
    a stream that was dropped would go on until Python looks for circles.
    """

    cached_tokens: int = 0
    run: RunCounts = field(default_factory=RunCounts)
    is_known: bool = False

    def count(self, cached_tokens: int | None, read_tokens: int | None) -> None:
        """Takes the counts of an answer."""
        if cached_tokens is not None and not self.is_known:
            self.cached_tokens, self.is_known = cached_tokens, True
            self.run.read = read_tokens or 0


class RemoteStream(TokenStream):
    """A stream that learns from the server what it had read before."""

    def __init__(self, tokens: Generator[GeneratedToken, None, None], told: ToldCounts) -> None:
        """Begins without counts.

        Args:
            tokens: those of the server's answers.
            told: grows while they are read.
        """
        super().__init__(tokens, cached_tokens=0, counts=told.run)
        self._told = told

    def __next__(self) -> GeneratedToken:
        """Returns the next token."""
        try:
            return super().__next__()
        finally:
            self.cached_tokens = self._told.cached_tokens
