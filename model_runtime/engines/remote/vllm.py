"""Speaks to vLLM: `/v1/completions`, with ids there and back (version 0.10.2 or later).

What a model's own `generation_config.json` would change of a request is stated in each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from model_runtime.engines.remote import completions, events, refusals
from model_runtime.engines.remote.dialect import Piece, ServerFacts, Wanted
from model_runtime.engines.remote.known_model import SAMPLE, KnownModel

if TYPE_CHECKING:
    from model_runtime.engines.kind import EngineOptions
    from model_runtime.engines.protocol import Engine
    from model_runtime.engines.remote.client import HttpClient
    from model_runtime.models.bundle import ModelBundle

_MAX_CONCURRENCY = 8
_ID = "token_id:"
"""Begins the name of a token where names of ids are asked for."""


class Vllm:
    """The dialect of vLLM."""

    name = "vllm"
    usual_address = "http://127.0.0.1:8000"
    path = completions.PATH

    def facts(self, client: HttpClient, model: KnownModel, served: str) -> ServerFacts:
        """Implements `Dialect.facts`; compares the tokenizers."""
        entry = completions.served_model(client, served)
        name = str(entry.get("id"))
        ids = [
            self._tokens(client, name, text, client.place)
            for text in (SAMPLE, model.special_sample)
        ]
        model.compare(client.place, *ids)
        longest = events.count_in(entry.get("max_model_len")) or model.context_length
        return ServerFacts(
            identity=_identity(entry),
            context_length=min(longest, model.context_length),
            max_concurrency=_MAX_CONCURRENCY,
            served=name,
        )

    def identity(self, client: HttpClient, served: str) -> tuple[object, ...]:
        """Implements `Dialect.identity`."""
        return _identity(completions.served_model(client, served))

    def is_running(self, client: HttpClient, tag: int) -> bool | None:
        """Implements `Dialect.is_running`; the server tells of no single answer."""
        return None

    def body(self, wanted: Wanted, tag: int, model: KnownModel, served: str) -> dict[str, Any]:
        """Implements `Dialect.body`."""
        sampling = wanted.sampling
        return {
            "model": served,
            "prompt": list(wanted.prompt),
            "max_tokens": wanted.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p if sampling.temperature > 0 else 1.0,
            "top_k": 0,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
            "logprobs": max(1, wanted.alternatives),
            "return_token_ids": True,
            "return_tokens_as_token_ids": True,
            "stop_token_ids": sorted(sampling.stop_ids),
            "skip_special_tokens": False,
            "stream": True,
            "stream_options": {"include_usage": True},
            **({"seed": sampling.seed} if sampling.seed is not None else {}),
        }

    def events(self, lines: Iterator[str], place: str) -> Iterator[Mapping[str, Any]]:
        """Implements `Dialect.events`."""
        return events.server_sent(lines, place)

    def piece(self, event: Mapping[str, Any], place: str) -> Piece:
        """Implements `Dialect.piece`."""
        choice, usage = completions.choice_in(event, place), completions.usage_in(event)
        if not choice:
            return usage
        if "token_ids" not in choice:
            raise refusals.unreadable(place, "no ids, as a vLLM before 0.10.2")
        told = choice.get("logprobs")
        rows = told.get("top_logprobs") if isinstance(told, dict) else None
        return replace(
            usage,
            ids=events.ids_in(choice["token_ids"] or [], place),
            logprobs=completions.logprobs_in(choice, place),
            alternatives=tuple(map(_likeliest, rows)) if isinstance(rows, list) else (),
            is_end=bool(choice.get("finish_reason")),
            ended_itself=completions.is_stopped(choice),
        )

    def _tokens(self, client: HttpClient, name: str, text: str, place: str) -> object:
        body = {"model": name, "prompt": text, "add_special_tokens": False}
        answer = client.post("/tokenize", body)
        return answer.get("tokens") if isinstance(answer, dict) else answer


def open_model(model: ModelBundle, options: EngineOptions) -> Engine:
    """Opens a model behind vLLM; raises as `open_dialect`."""
    from model_runtime.engines.remote.engine import open_dialect

    return open_dialect(Vllm(), model, options)


def _identity(entry: Mapping[str, Any]) -> tuple[object, ...]:
    return entry.get("id"), entry.get("root"), entry.get("max_model_len")


def _likeliest(row: object) -> dict[int, float]:
    """Returns the log-probabilities by ids of a row that has them by `token_id:...`."""
    if not isinstance(row, dict):
        return {}
    numbers = {str(name).removeprefix(_ID): value for name, value in row.items()}
    return events.likeliest_in(
        [{"id": int(one), "logprob": value} for one, value in numbers.items() if one.isdecimal()]
    )
