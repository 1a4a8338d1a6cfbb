"""Defines the request that all APIs have in common, and its answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fim_lsp.completion.trace import RequestTrace


@dataclass(frozen=True, slots=True)
class OtherFile:
    """A part of another file that may help."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class CompletionQuery:
    """All that a client can say of the completion that it wants."""

    prefix: str
    """Text before the cursor, without lone surrogates; so are the other texts."""
    suffix: str = ""
    others: tuple[OtherFile, ...] = ()
    path: str = ""
    """Path of the document; empty where the client does not tell it."""
    language: str = ""
    """Language id; empty where the path has to tell."""
    max_tokens: int | None = None
    """Tokens to write, at most: 0 to read the prompt alone, None for the server's setting."""
    time_limit_ms: int | None = None
    """None for the server's setting."""
    stop: tuple[str, ...] = ()
    """Texts that end the answer."""
    count: int = 1
    """Answers that are wanted, at most."""
    client: str = ""
    """Name by which the client tells its user from others; empty where it does not."""


@dataclass(frozen=True, slots=True)
class CompletionAnswer:
    """Texts to insert at the cursor, best first, and the trace of the request."""

    texts: Sequence[str]
    """Empty where nothing is suggested."""
    model: str
    trace: RequestTrace

    @property
    def text(self) -> str:
        """The best text; empty where there is none."""
        return self.texts[0] if self.texts else ""

    @property
    def num_prompt_tokens(self) -> int:
        """Tokens of the prompt; 0 where no model was asked."""
        generation = self.trace.generation
        return generation.prompt.prompt_tokens if generation and generation.prompt else 0

    @property
    def num_new_tokens(self) -> int:
        """Tokens that the model wrote."""
        generation = self.trace.generation
        return generation.decoding.new_tokens if generation and generation.decoding else 0

    @property
    def num_cached_tokens(self) -> int:
        """Tokens of the prompt that the model knew from an earlier request."""
        generation = self.trace.generation
        return generation.decoding.cached_tokens if generation and generation.decoding else 0

    @property
    def finish(self) -> str:
        """Name of the rule that ended the text, or of another reason; empty for no generation."""
        generation = self.trace.generation
        return generation.decoding.finish if generation and generation.decoding else ""
