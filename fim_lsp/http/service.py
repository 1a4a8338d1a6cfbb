"""Completes for all clients over HTTP: the path of the editor, with one provider for each client.

A request belongs to a document only where the client says who it is and which file it means; the
newest request of such a document ends the one before.  All others stand beside each other: each
takes the lowest free place, so that a client that asks for one completion after the other finds its
own answers in the cache, and one that asks for three at once gets three.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from fim_lsp.completion.filters import insertable
from fim_lsp.completion.in_flight import InFlightGenerations
from fim_lsp.completion.provider import CompletionProvider
from fim_lsp.completion.reasons import Reason, RequestOutcome
from fim_lsp.completion.request import OnSureText
from fim_lsp.completion.trace import RequestLog, RequestTrace
from fim_lsp.http.documents import request_of, uri_of
from fim_lsp.http.errors import ApiError
from fim_lsp.http.query import CompletionAnswer, CompletionQuery
from fim_lsp.model_host.host import ModelHost
from fim_lsp.settings import Settings
from model_runtime.errors import ModelRuntimeError
from model_runtime.served_model import ServedModel

MAX_CLIENTS = 32
"""Clients whose answers are kept for typing through; one more takes the place of the oldest."""
_MAX_CHARACTERS_OF_NAME = 200
"""Characters by which clients are told apart."""
ALIAS = "fim-lsp"
"""Name by which a client may ask for the model, whichever is loaded."""


class _Client:
    """One client, and the places that its requests take."""

    def __init__(self, host: ModelHost, log: RequestLog) -> None:
        # A generation must not outlive its connection: nobody can join it.
        in_flight = InFlightGenerations(grace_seconds=0)
        self.provider = CompletionProvider(host, in_flight=in_flight, log=log)
        self.taken: set[int] = set()


class CompletionService:
    """Answers queries.  All methods belong to the event loop's thread."""

    def __init__(self, host: ModelHost, settings: Settings) -> None:
        """Takes the shared model, and the settings of the command line."""
        self.host = host
        self.settings = settings
        self.log = RequestLog()
        """Traces of the last requests of all clients."""
        self.started = int(time.time())
        """Seconds since the epoch at which the server began."""
        self._clients: OrderedDict[str, _Client] = OrderedDict()

    @property
    def model(self) -> ServedModel:
        """The model that answers.

        Raises:
            ApiError: there is none, or none yet.
        """
        if (model := self.host.loaded) is not None:
            return model
        status = self.host.status
        if status.state == "error":
            raise ApiError(500, status.message, "server_error")
        raise ApiError(503, "Loading model", "unavailable_error")

    def traces(self, limit: int) -> list[RequestTrace]:
        """Returns traces of the last requests, newest first."""
        return self.log.newest(limit=limit)

    async def complete(
        self, query: CompletionQuery, on_sure_text: OnSureText | None = None
    ) -> CompletionAnswer:
        """Returns what an editor would show, as texts to insert at the cursor.

        Args:
            query: what the client asks for.
            on_sure_text: takes the beginning of the best text, on the engine's thread.

        Raises:
            ApiError: there is no model, or it failed.
            asyncio.CancelledError: the client is gone; decoding ends within a token.
        """
        model = self.model
        with self._document(query) as (provider, uri):
            request = request_of(query, uri, self.settings, on_sure_text)
            if query.max_tokens == 0:
                try:
                    trace = await provider.read_ahead.run(request)
                except ModelRuntimeError as error:
                    raise ApiError(500, str(error), "server_error") from None
                return CompletionAnswer((), model.name, trace)
            completions, trace = await provider.answer(request)
        if trace.outcome is RequestOutcome.FAILED:
            raise _failure(trace)
        text, offset = request.snapshot.text, request.snapshot.offset
        texts = [insertable(one.text, text[offset : one.end]) for one in completions or ()]
        return CompletionAnswer([one for one in texts if one.strip()], model.name, trace)

    def close(self) -> None:
        """Forgets the clients."""
        for client in self._clients.values():
            client.provider.close()

    @contextmanager
    def _document(self, query: CompletionQuery) -> Iterator[tuple[CompletionProvider, str]]:
        """Yields the provider of a client, and the URI under which it knows the document."""
        client = self._client(query.client[:_MAX_CHARACTERS_OF_NAME])
        if query.client and query.path:
            yield client.provider, uri_of(query.path, 0)
            return
        place = next(number for number in count(1) if number not in client.taken)
        client.taken.add(place)
        try:
            yield client.provider, uri_of(query.path, place)
        finally:
            client.taken.discard(place)

    def _client(self, name: str) -> _Client:
        client = self._clients.get(name)
        if client is None:
            client = self._clients[name] = _Client(self.host, self.log)
            if len(self._clients) > MAX_CLIENTS:
                _, oldest = self._clients.popitem(last=False)
                oldest.provider.close()
        self._clients.move_to_end(name)
        return client


def _failure(trace: RequestTrace) -> ApiError:
    silence = trace.silence
    if silence is not None and silence.reason is Reason.ENGINE_ERROR:
        return ApiError(500, silence.error, "server_error")
    return ApiError(500, "the request failed inside; the server's log says why", "server_error")
