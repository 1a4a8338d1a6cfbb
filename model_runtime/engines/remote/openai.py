"""Speaks to any server with OpenAI's `/v1/completions`: texts there, texts back.

Sentinels go as their texts, and the server's own tokenizer makes ids of them; nothing can be
compared.  Some of these servers fail where they are asked for log-probabilities, so that is tried
with one token when the engine is opened.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from model_runtime.engines.remote import completions, events
from model_runtime.engines.remote.dialect import Piece, ServerFacts, Wanted
from model_runtime.engines.remote.known_model import KnownModel
from model_runtime.engines.remote.problem import ServerProblem

if TYPE_CHECKING:
    from model_runtime.engines.kind import EngineOptions
    from model_runtime.engines.protocol import Engine
    from model_runtime.engines.remote.client import HttpClient
    from model_runtime.models.bundle import ModelBundle

MAX_STOPS = 4
"""Stop strings that OpenAI's API takes."""
_MAX_CONCURRENCY = 8


class OpenAi:
    """The dialect of OpenAI's completions."""

    name = "openai"
    usual_address = "http://127.0.0.1:8000"
    path = completions.PATH

    def __init__(self) -> None:
        """Asks for log-probabilities until a server refuses them."""
        self._with_logprobs = True

    def facts(self, client: HttpClient, model: KnownModel, served: str) -> ServerFacts:
        """Implements `Dialect.facts`; tries one token."""
        name = self._name(client, served)
        return ServerFacts(
            identity=(name,),
            context_length=model.context_length,
            max_concurrency=_MAX_CONCURRENCY,
            served=name,
            has_probabilities=self._try(client, name),
        )

    def identity(self, client: HttpClient, served: str) -> tuple[object, ...]:
        """Implements `Dialect.identity`."""
        return (self._name(client, served),)

    def is_running(self, client: HttpClient, tag: int) -> bool | None:
        """Implements `Dialect.is_running`; the server tells of no single answer."""
        return None

    def body(self, wanted: Wanted, tag: int, model: KnownModel, served: str) -> dict[str, Any]:
        """Implements `Dialect.body`."""
        sampling = wanted.sampling
        return {
            "model": served,
            "prompt": model.text_of(wanted.prompt),
            "max_tokens": wanted.max_tokens,
            "temperature": sampling.temperature,
            "stop": model.stop_texts[:MAX_STOPS],
            "stream": True,
            **({"top_p": sampling.top_p} if sampling.temperature > 0 else {}),
            **({"seed": sampling.seed} if sampling.seed is not None else {}),
            **({"logprobs": 1} if self._with_logprobs else {}),
        }

    def events(self, lines: Iterator[str], place: str) -> Iterator[Mapping[str, Any]]:
        """Implements `Dialect.events`."""
        return events.server_sent(lines, place)

    def piece(self, event: Mapping[str, Any], place: str) -> Piece:
        """Implements `Dialect.piece`."""
        choice, usage = completions.choice_in(event, place), completions.usage_in(event)
        if not choice:
            return usage
        return replace(
            usage,
            text=events.text_in(choice.get("text") or "", place),
            logprobs=completions.logprobs_in(choice, place),
            is_end=bool(choice.get("finish_reason")),
            ended_itself=completions.is_stopped(choice),
        )

    def _name(self, client: HttpClient, served: str) -> str:
        """Returns the model's name there; a server without a list is believed to have it."""
        try:
            return str(completions.served_model(client, served).get("id"))
        except ServerProblem as problem:
            if served and problem.status in (404, 405, 501):
                return served
            raise

    def _try(self, client: HttpClient, name: str) -> bool:
        """Asks for one token; returns whether its log-probability came with it."""
        body = {"model": name, "prompt": "x", "max_tokens": 1, "temperature": 0}
        try:
            answer = client.post(self.path, {**body, "logprobs": 1})
        except ServerProblem as problem:
            if problem.status not in (400, 422, 500, 501):
                raise
            answer = client.post(self.path, body)
            self._with_logprobs = False
        event = answer if isinstance(answer, dict) else {}
        choice = completions.choice_in(event, client.place)
        return bool(completions.logprobs_in(choice, client.place))


def open_model(model: ModelBundle, options: EngineOptions) -> Engine:
    """Opens a model behind such a server; raises as `open_dialect`."""
    from model_runtime.engines.remote.engine import open_dialect

    return open_dialect(OpenAi(), model, options)
