"""Makes the documents and settings of requests that arrive over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from urllib.parse import quote

from fim_lsp.completion.request import CompletionRequest, OnSureText
from fim_lsp.document import DocumentHandle, DocumentSnapshot
from fim_lsp.exclusion.judge import is_unshared
from fim_lsp.http.query import CompletionQuery, OtherFile
from fim_lsp.settings import Settings
from fim_lsp.suggestion import Trigger
from model_runtime.syntax.languages import language_id

MAX_TOKENS = 512
"""Tokens that a client gets at most, whatever it asks for."""
MAX_COUNT = 10
"""Answers that a client gets at most."""
MAX_OTHERS = 64
"""Parts of other files that are looked at."""
MAX_TIME_LIMIT_MS = 60_000
_MAX_CHARACTERS = 500_000
"""Characters on each side of the cursor; more would only be carried along."""
_MAX_CHARACTERS_OF_PATH = 10_000
"""Longer than any path that is not left alone for its length."""


def request_of(
    query: CompletionQuery,
    uri: str,
    settings: Settings,
    on_sure_text: OnSureText | None = None,
) -> CompletionRequest:
    """Returns the request that an editor would make of a query.

    Args:
        query: what the client asks for.
        uri: names the document among those of its client.
        settings: those of the server.
        on_sure_text: takes the beginning of the answer.
    """
    language = _language(query)
    before, after = query.prefix[-_MAX_CHARACTERS:], query.suffix[:_MAX_CHARACTERS]
    snapshot = DocumentSnapshot(
        uri=uri,
        language_id=language,
        version=0,
        text=before + after,
        offset=len(before),
        path=_name(query.path),
        line=query.prefix.count("\n"),
        is_shared=False,
    )
    return CompletionRequest(
        snapshot,
        Trigger.AUTOMATIC,
        _settings(query, settings, language),
        other_documents=partial(_others, query.others, settings.exclude),
        stop_strings=query.stop,
        max_suggestions=max(1, min(query.count, MAX_COUNT)),
        on_sure_text=on_sure_text,
    )


def uri_of(path: str, place: int) -> str:
    """Returns a URI for a document.

    Args:
        path: as the client tells it; empty where it does not.
        place: number that tells documents of one client apart; 0 where the path does.

    >>> uri_of("/work/a b.py", 0), uri_of("src/a.py", 2), uri_of("", 1)
    ('file:///work/a%20b.py', 'request:/src/a.py#2', 'request:/untitled#1')
    """
    path = path[:_MAX_CHARACTERS_OF_PATH]
    if path.startswith("file:"):
        uri = path
    else:
        plain = path.replace("\\", "/").replace("\0", "")
        is_absolute = plain.startswith("/") or plain[1:3] == ":/"
        uri = ("file:///" if is_absolute else "request:/") + quote(plain.lstrip("/") or "untitled")
    return f"{uri}#{place}" if place else uri


def _language(query: CompletionQuery) -> str:
    """Returns the language id; empty where neither the client nor the path tells it."""
    return query.language or (language_id(_name(query.path)) if query.path else "")


def _name(path: str) -> str:
    """Returns the path as a model is told it: no folder above the project is known."""
    plain = path.replace("\\", "/")
    is_relative = not plain.startswith(("/", "file:")) and plain[1:3] != ":/"
    return plain if is_relative else plain.rpartition("/")[2]


def _settings(query: CompletionQuery, settings: Settings, language: str) -> Settings:
    """Returns the settings of the server as one request moves them.

    Of a client over HTTP nothing is learned: what it takes is not told, and its documents may be
    those of somebody else.
    """
    asked = query.max_tokens if query.max_tokens is not None else settings.max_new_tokens
    limit_ms = query.time_limit_ms if query.time_limit_ms is not None else settings.time_limit_ms
    return replace(
        settings,
        max_new_tokens=max(1, min(asked, MAX_TOKENS)),
        time_limit_ms=max(0, min(limit_ms, MAX_TIME_LIMIT_MS)),
        # The client waits for the next key; in a language that nobody tells, it may be right.
        debounce_ms=0,
        languages=settings.languages if language else (*settings.languages, ("", True)),
        project_memory=False,
        learn_from_use=False,
        idle_work=False,
    )


def _others(others: Sequence[OtherFile], exclude: tuple[str, ...]) -> list[DocumentHandle]:
    """Returns the parts of other files, without secrets, the last of a client's list first."""
    snapshots = [
        DocumentSnapshot(
            uri=f"{uri_of(other.path, 0)}?part={number}",
            language_id=language_id(_name(other.path)),
            version=hash(other.text),
            text=other.text,
            offset=0,
            path=_name(other.path),
            is_shared=False,
        )
        for number, other in enumerate(others[-MAX_OTHERS:])
        if not is_unshared(uri_of(other.path, 0), exclude)
    ]
    return [DocumentHandle.of(snapshot) for snapshot in reversed(snapshots)]
