"""Asks one server for answers, and reads them as tokens."""

from __future__ import annotations

import threading
from collections.abc import Generator

from model_runtime.engines.protocol import GeneratedToken
from model_runtime.engines.remote import refusals
from model_runtime.engines.remote.abandoned import AbandonedAnswers, RunningAnswer
from model_runtime.engines.remote.answer import ToldToken, tokens_of
from model_runtime.engines.remote.backoff import Backoff
from model_runtime.engines.remote.client import HttpClient
from model_runtime.engines.remote.compared import ComparedServer
from model_runtime.engines.remote.dialect import Dialect, Piece, Wanted
from model_runtime.engines.remote.known_model import KnownModel
from model_runtime.engines.remote.problem import Cancelled
from model_runtime.engines.remote.stream import ToldCounts


class Answers:
    """Answers of one server; may be used by several threads."""

    def __init__(
        self,
        dialect: Dialect,
        client: HttpClient,
        model: KnownModel,
        server: ComparedServer,
        backoff: Backoff,
    ) -> None:
        """Takes whom to ask, and who is to know what came of it.

        Args:
            dialect: the way to speak to the server.
            client: connects to it.
            model: the model at hand.
            server: is compared with that model before each answer, as far as that is due.
            backoff: is told that the server answers.
        """
        self._dialect, self._client, self._model = dialect, client, model
        self._server, self._backoff = server, backoff
        self.abandoned = AbandonedAnswers(lambda tag: dialect.is_running(client, tag))
        """Answers that were given up."""

    def told(
        self, wanted: Wanted, cancel: threading.Event, counts: ToldCounts
    ) -> Generator[ToldToken, None, None]:
        """Yields what the server tells, END included where the model ended the answer.

        Raises:
            ServerProblem: the server does not answer, or has another model.
            Cancelled: `cancel` was set.
        """
        dialect, model, place = self._dialect, self._model, self._client.place
        running, last = RunningAnswer(), None
        body = dialect.body(wanted, running.tag, model, self._server.facts().served)
        with self._client.lines(dialect.path, body, cancel) as answer:
            try:
                events = dialect.events(answer, place)
                for event in events:
                    piece = dialect.piece(event, place)
                    self._observe(piece, running, counts)
                    if piece.is_end:
                        answer.is_complete = True
                        for rest in map(lambda event: dialect.piece(event, place), events):
                            counts.count(rest.cached_tokens, rest.read_tokens)
                    for last in tokens_of(piece, model, place):
                        running.add_token()
                        is_whole = running.tokens >= wanted.max_tokens
                        answer.is_complete |= last.token.id == model.end or is_whole
                        yield last
                    if piece.is_end:
                        is_told = last is not None and last.token.id in wanted.sampling.stop_ids
                        if piece.ended_itself and not is_told:
                            yield ToldToken(GeneratedToken(model.end, 0.0), {})
                        return
            except (Cancelled, GeneratorExit):
                if not answer.is_complete:
                    self.abandoned.add(running)
                raise
        raise refusals.broken_off(place)

    def _observe(self, piece: Piece, running: RunningAnswer, counts: ToldCounts) -> None:
        """Takes what a piece tells of the server, and compares that anew where it looks changed.

        Raises:
            ServerProblem: it is another server.
        """
        if not running.tokens:
            self._server.observe(piece)
        self._backoff.succeeded()
        counts.count(piece.cached_tokens, piece.read_tokens)
        counts.run.abandoned = self.abandoned.number_since(running.begun)
        if piece.ids or piece.text:
            self._server.has_probabilities = bool(piece.logprobs)
