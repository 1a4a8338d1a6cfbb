"""Runs a model behind HTTP: an `Engine` whose prompts are written here and continued by a server.

The server is compared with the model at hand before its first answer, and again from time to time,
since another one may have been started at the same address.  While it does not answer, requests
fail at once with one sentence, and it is asked again after a while (`backoff`).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace

from model_runtime.engines.checks import check_prompt
from model_runtime.engines.endpoint import Address, Endpoint, address_of, key_of
from model_runtime.engines.kind import EngineOptions
from model_runtime.engines.protocol import GeneratedToken, SamplingParams, TokenStream
from model_runtime.engines.remote import agreement
from model_runtime.engines.remote.answers import Answers
from model_runtime.engines.remote.backoff import Backoff
from model_runtime.engines.remote.client import HttpClient
from model_runtime.engines.remote.compared import ComparedServer
from model_runtime.engines.remote.dialect import MAX_ALTERNATIVES, Dialect, Wanted
from model_runtime.engines.remote.known_model import KnownModel
from model_runtime.engines.remote.problem import Cancelled, ServerProblem
from model_runtime.engines.remote.stream import RemoteStream, ToldCounts
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
        self._client, self._model = client, model
        self._server = ComparedServer(dialect, client, model, endpoint.model)
        self._backoff = backoff or Backoff()
        self._answers = Answers(dialect, client, model, self._server, self._backoff)
        self._is_open = True
        self.context_length = model.context_length
        """Most ids that prompt and answer may have together, here and there."""
        self.max_concurrency = _UNKNOWN_CONCURRENCY
        try:
            facts = self._server.facts()
            self.context_length, self.max_concurrency = facts.context_length, facts.max_concurrency
        except ServerProblem as problem:
            if problem.is_lasting:
                raise EngineUnavailable(str(problem)) from problem
            self._failed(problem)
            logger.warning("%s", problem)

    @property
    def has_probabilities(self) -> bool:
        """Whether the server tells how sure its model is; False from the first answer without."""
        return self._server.has_probabilities

    @property
    def problem(self) -> str:
        """Sentence that says why the server does not answer; empty while it does."""
        return self._backoff.problem

    @property
    def stops_abandoned(self) -> bool | None:
        """Whether the server stops with an answer that is given up; None where it is not known."""
        return self._answers.abandoned.server_stops

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
        told = ToldCounts()
        tokens = self._tokens(list(prompt), sampling, cancel or threading.Event(), forced, told)
        return RemoteStream(tokens, told)

    def close(self) -> None:
        """Implements `Engine.close`."""
        self._is_open = False
        self._answers.abandoned.close()
        self._client.close()

    def _tokens(
        self,
        ids: list[int],
        sampling: SamplingParams,
        cancel: threading.Event,
        forced: ForcedText | None,
        counts: ToldCounts,
    ) -> Generator[GeneratedToken, None, None]:
        if not self._is_open:
            raise EngineError("the engine is closed; open a new one")
        if sampling.max_tokens < 1 or cancel.is_set():
            return
        if self._backoff.seconds_left() > 0:
            raise ServerUnavailable(self._backoff.problem)
        try:
            self.context_length = self._server.facts().context_length
            check_prompt(ids, sampling, self.context_length)  # the server may have less room
            if forced is not None:
                after = yield from self._spelled(ids, sampling, cancel, forced, counts)
                if after is None:
                    return
                sampling = after
            yield from self._continued(ids, sampling, cancel, counts)
        except Cancelled:
            return
        except ServerProblem as problem:
            self._failed(problem)
            raise ServerUnavailable(str(problem), is_lasting=problem.is_lasting) from problem

    def _continued(
        self,
        ids: list[int],
        sampling: SamplingParams,
        cancel: threading.Event,
        counts: ToldCounts,
    ) -> Generator[GeneratedToken, None, None]:
        """Yields the tokens after a prompt that forces nothing."""
        left = min(sampling.max_tokens, self.context_length - len(ids))
        while left > 0:
            most = self._answers.abandoned.most_tokens(left)
            wanted, count = Wanted(tuple(ids), sampling, most, 0), 0
            with closing(self._answers.told(wanted, cancel, counts)) as answer:
                for count, told in enumerate(answer, 1):
                    yield told.token
                    ids.append(told.token.id)
                    if told.token.id in sampling.stop_ids:
                        return
                    if count >= most:
                        break
            left -= count
            if count < most:
                return

    def _spelled(
        self,
        ids: list[int],
        sampling: SamplingParams,
        cancel: threading.Event,
        forced: ForcedText,
        counts: ToldCounts,
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
            with closing(self._answers.told(wanted, cancel, counts)) as answer:
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

    def _failed(self, problem: ServerProblem) -> None:
        """Waits with the next request, and compares the server anew before it."""
        self._server.forget()
        self._answers.abandoned.forget()
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
