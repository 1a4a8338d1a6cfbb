"""Runs a model behind HTTP: an `Engine` whose prompts are written here and continued by a server.

The server is compared with the model at hand before its first answer, and again from time to time,
since another one may have been started at the same address.  While it does not answer, requests
fail at once with one sentence, and it is asked again after a while (`backoff`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace

from model_runtime.engines.checks import check_prompt
from model_runtime.engines.endpoint import Address, Endpoint, address_of, key_of
from model_runtime.engines.kind import EngineOptions
from model_runtime.engines.protocol import GeneratedToken, SamplingParams, TokenStream
from model_runtime.engines.remote import agreement, refusals
from model_runtime.engines.remote.answer import ToldToken, tokens_of
from model_runtime.engines.remote.backoff import Backoff
from model_runtime.engines.remote.client import HttpClient
from model_runtime.engines.remote.dialect import MAX_ALTERNATIVES, Dialect, ServerFacts, Wanted
from model_runtime.engines.remote.known_model import KnownModel
from model_runtime.engines.remote.problem import Cancelled, ServerProblem
from model_runtime.engines.remote.stream import RemoteStream
from model_runtime.errors import EngineError, EngineUnavailable, ServerUnavailable
from model_runtime.models.bundle import ModelBundle
from model_runtime.prompt.forced_text import ForcedText

logger = logging.getLogger(__name__)

_CHECK_SECONDS = 60.0
"""Time after which a server is asked anew which model it has."""
_UNKNOWN_CONCURRENCY = 4
"""Requests side by side, where the server did not answer when it was asked."""


class RemoteEngine:
    """Continues ids through one server."""

    def __init__(
        self,
        dialect: Dialect,
        client: HttpClient,
        model: KnownModel,
        endpoint: Endpoint,
        address: Address,
        backoff: Backoff | None = None,
    ) -> None:
        """Asks the server what it is; where it does not answer now, that is done later.

        Args:
            dialect: the way to speak to it.
            client: connects to it.
            model: the model at hand.
            endpoint: as the settings have it.
            address: the checked address of the endpoint.
            backoff: says when to ask again.

        Raises:
            EngineUnavailable: it is another server, or has another model.
        """
        self.name = dialect.name
        self.server = address.place
        """The server in words, for people."""
        self.has_probabilities = True
        """Whether the server tells how sure its model is; False from the first answer without."""
        self.context_length = model.context_length
        """Most ids that prompt and answer may have together, here and there."""
        self._dialect, self._client, self._model = dialect, client, model
        self._named = endpoint.model
        self._backoff = backoff or Backoff()
        self._checking = threading.Lock()
        self._facts: ServerFacts | None = None
        self._checked_at = 0.0
        self._is_open = True
        try:
            self._check()
        except ServerProblem as problem:
            if problem.is_lasting:
                raise EngineUnavailable(str(problem)) from problem
            logger.warning("%s", problem)
        self.max_concurrency = self._facts.max_concurrency if self._facts else _UNKNOWN_CONCURRENCY

    @property
    def problem(self) -> str:
        """Sentence that says why the server does not answer; empty while it does."""
        return self._backoff.problem

    def generate(
        self,
        prompt: Sequence[int],
        sampling: SamplingParams,
        cancel: threading.Event | None = None,
        forced: ForcedText | None = None,
    ) -> TokenStream:
        """Implements `Engine.generate`; cancelling also interrupts the reading of the prompt.

        Raises:
            ServerUnavailable: the server does not answer now; also while the stream is read.
        """
        check_prompt(prompt, sampling, self.context_length, self._model.vocab)
        stream = RemoteStream()
        tokens = self._tokens(list(prompt), sampling, cancel or threading.Event(), forced, stream)
        stream.read_from(tokens)
        return stream

    def close(self) -> None:
        """Implements `Engine.close`."""
        self._is_open = False
        self._client.close()

    def _tokens(
        self,
        ids: list[int],
        sampling: SamplingParams,
        cancel: threading.Event,
        forced: ForcedText | None,
        stream: RemoteStream,
    ) -> Generator[GeneratedToken, None, None]:
        if not self._is_open:
            raise EngineError("the engine is closed; open a new one")
        if sampling.max_tokens < 1 or cancel.is_set():
            return
        if self._backoff.seconds_left() > 0:
            raise ServerUnavailable(self._backoff.problem)
        try:
            self._check()
            check_prompt(ids, sampling, self.context_length)  # the server may have less room
            if forced is not None:
                after = yield from self._spelled(ids, sampling, cancel, forced, stream)
                if after is None:
                    return
                sampling = after
            yield from self._continued(ids, sampling, cancel, stream)
        except Cancelled:
            return
        except ServerProblem as problem:
            self._failed(problem)
            raise ServerUnavailable(str(problem)) from problem

    def _continued(
        self,
        ids: list[int],
        sampling: SamplingParams,
        cancel: threading.Event,
        stream: RemoteStream,
    ) -> Generator[GeneratedToken, None, None]:
        """Yields the tokens after a prompt that forces nothing."""
        most = min(sampling.max_tokens, self.context_length - len(ids))
        wanted = Wanted(ids, sampling, most, 0)
        with closing(self._told(wanted, cancel, stream)) as answer:
            for count, told in enumerate(answer, 1):
                yield told.token
                if told.token.id in sampling.stop_ids or count >= most:
                    return

    def _spelled(
        self,
        ids: list[int],
        sampling: SamplingParams,
        cancel: threading.Event,
        forced: ForcedText,
        stream: RemoteStream,
    ) -> Generator[GeneratedToken, None, SamplingParams | None]:
        """Yields the tokens that spell a forced text, and those after it while one answer lasts.

        Returns:
            The sampling of what follows, or None where nothing does.
        """
        left, is_spelled = sampling.max_tokens, forced.is_spelled
        for id_ in agreement.settled(forced):
            ids.append(id_)
            forced = forced.after(id_)
            yield GeneratedToken(id_, 0.0)
        while not is_spelled:
            room = self.context_length - len(ids)
            most = min(room, left + len(forced.text) - forced.spelled)
            if most < 1:
                return None
            wanted, tokens = Wanted(ids, sampling, most, MAX_ALTERNATIVES), list[GeneratedToken]()
            with closing(self._told(wanted, cancel, stream)) as answer:
                for told in answer:
                    if is_spelled:
                        yield told.token
                        left -= 1
                        if left < 1 or told.token.id in sampling.stop_ids:
                            return None
                        continue
                    tokens = agreement.held(forced, told)
                    for token in tokens:
                        ids.append(token.id)
                        forced = forced.after(token.id)
                        left -= forced.is_beyond
                        yield token
                    is_spelled = forced.is_spelled
                    if left < 1:
                        return None
                    if not tokens or tokens[0].id != told.token.id:
                        break  # the server is asked again behind what stands in its place
                else:
                    return None
            if not tokens or len(ids) >= self.context_length:
                return None
        return replace(sampling, max_tokens=left)

    def _told(
        self, wanted: Wanted, cancel: threading.Event, stream: RemoteStream
    ) -> Generator[ToldToken, None, None]:
        """Yields what the server tells, END included where the model ended the answer."""
        dialect, model, place = self._dialect, self._model, self._client.place
        body = dialect.body(wanted, model, self._check().served)
        last, count = None, 0
        with self._client.lines(dialect.path, body, cancel) as answer:
            events = dialect.events(answer, place)
            for event in events:
                piece = dialect.piece(event, place)
                self._backoff.succeeded()
                stream.count(piece.cached_tokens, piece.read_tokens)
                if piece.ids or piece.text:
                    self.has_probabilities = bool(piece.logprobs)
                if piece.is_end:
                    answer.is_complete = True
                    for rest in map(lambda event: dialect.piece(event, place), events):
                        stream.count(rest.cached_tokens, rest.read_tokens)
                for last in tokens_of(piece, model, place):
                    count += 1
                    answer.is_complete |= last.token.id == model.end or count >= wanted.max_tokens
                    yield last
                if piece.is_end:
                    is_told = last is not None and last.token.id in wanted.sampling.stop_ids
                    if piece.ended_itself and not is_told:
                        yield ToldToken(GeneratedToken(model.end, 0.0), {})
                    return
        raise refusals.broken_off(place)

    def _check(self) -> ServerFacts:
        """Compares the server with the model at hand, where that is due; returns what it is.

        Raises:
            ServerProblem: it does not answer, or differs.
        """
        with self._checking:
            now = time.monotonic()
            facts = self._facts
            if facts is not None and now - self._checked_at < _CHECK_SECONDS:
                return facts
            try:
                if facts is None or facts.identity != self._dialect.identity(
                    self._client, facts.served
                ):
                    facts = self._dialect.facts(self._client, self._model, self._named)
                    self.context_length = facts.context_length
                    self.has_probabilities = facts.has_probabilities
            except ServerProblem as problem:
                self._failed(problem)
                raise
            self._facts, self._checked_at = facts, time.monotonic()
            return facts

    def _failed(self, problem: ServerProblem) -> None:
        """Waits with the next request, and compares the server anew before it."""
        self._facts = None
        self._backoff.failed(str(problem), problem.retry_after)


def open_dialect(dialect: Dialect, model: ModelBundle, options: EngineOptions) -> RemoteEngine:
    """Opens the engine that speaks one dialect.

    Raises:
        EngineUnavailable: the address may not be used, or has another server or model.
    """
    endpoint = options.endpoint or Endpoint()
    address = address_of(endpoint, dialect.name, dialect.usual_address)
    client = HttpClient(address, key_of(endpoint))
    try:
        return RemoteEngine(dialect, client, KnownModel.of(model), endpoint, address)
    except BaseException:
        client.close()
        raise
