"""Defines what each API says of itself: how it reads a query, and how it writes an answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from fim_lsp.http.errors import ApiError
from fim_lsp.http.fields import Fields
from fim_lsp.http.query import CompletionAnswer, CompletionQuery
from fim_lsp.http.service import CompletionService

EVENT_STREAM = "text/event-stream"


def event(data: object) -> bytes:
    """Returns a server-sent event with JSON as its data."""
    return b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\n\n"


class Stream(Protocol):
    """The form of an answer that is sent in parts."""

    def piece(self, text: str) -> bytes:
        """Returns a part that carries some text."""
        ...

    def end(self, answer: CompletionAnswer) -> Iterable[bytes]:
        """Returns the last parts, which carry no text."""
        ...


class Exchange(Protocol):
    """One request and its answer, in the form of its API."""

    @property
    def query(self) -> CompletionQuery:
        """The completion that is asked for."""
        ...

    @property
    def stream(self) -> Stream | None:
        """The form of the answer in parts; None where the client wants it whole."""
        ...

    def whole(self, answer: CompletionAnswer) -> Any:
        """Returns the JSON of an answer that is not streamed."""
        ...


@dataclass(frozen=True)
class CompletionApi:
    """One way to ask for completions."""

    read: Callable[[Fields, CompletionService], Exchange]
    """Reads a body; raises ApiError."""
    error: Callable[[ApiError], dict[str, Any]]
    """Writes an error."""
    media_type: str = EVENT_STREAM
    """Type of streamed answers."""
    error_piece: Callable[[bytes], bytes] = lambda error: b"data: " + error + b"\n\n"
    """Writes an error into an answer that has begun."""
