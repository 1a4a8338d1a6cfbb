"""Speaks to llama.cpp's server: `/completion`, with ids.

Its `/infill` writes a prompt of its own and is never asked.  A token that ends inside a character
is told with the next one, by its text alone, so that an event's ids may be fewer than were decoded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from model_runtime.engines.remote import events, refusals
from model_runtime.engines.remote.dialect import Piece, ServerFacts, Wanted
from model_runtime.engines.remote.known_model import SAMPLE, KnownModel
from model_runtime.engines.remote.problem import ServerProblem

if TYPE_CHECKING:
    from model_runtime.engines.kind import EngineOptions
    from model_runtime.engines.protocol import Engine
    from model_runtime.engines.remote.client import HttpClient
    from model_runtime.models.bundle import ModelBundle

_MAX_SLOTS = 8


class LlamaServer:
    """The dialect of llama.cpp's server."""

    name = "llama-server"
    usual_address = "http://127.0.0.1:8080"
    path = "/completion"

    def facts(self, client: HttpClient, model: KnownModel, served: str) -> ServerFacts:
        """Implements `Dialect.facts`; compares the tokenizers and the sizes of the vocabularies."""
        props = self._props(client)
        identity = self.identity(client, served)
        vocab = identity[-1]
        if type(vocab) is int and vocab < model.tokenizer.size:
            raise ServerProblem(
                f"the model of the server {client.place} has {vocab} ids, and {model.name} has "
                f"{model.tokenizer.size}; set model to the one that the server runs",
                is_lasting=True,
            )
        ids = [
            _tokens(client, {"content": text, "add_special": False, "parse_special": is_special})
            for text, is_special in ((SAMPLE, False), (model.special_sample, True))
        ]
        model.compare(client.place, *ids)
        settings = props.get("default_generation_settings")
        context = settings.get("n_ctx") if isinstance(settings, dict) else None
        slots = events.count_in(props.get("total_slots")) or 1
        return ServerFacts(
            identity=identity,
            context_length=min(events.count_in(context) or model.context_length,
                               model.context_length),
            max_concurrency=min(slots, _MAX_SLOTS),
            served=served,
        )  # fmt: skip

    def identity(self, client: HttpClient, served: str) -> tuple[object, ...]:
        """Implements `Dialect.identity`."""
        props = self._props(client)
        listed = client.get("/v1/models")
        rows = listed.get("data") if isinstance(listed, dict) else None
        first = rows[0] if isinstance(rows, list) and rows and isinstance(rows[0], dict) else {}
        meta = first.get("meta")
        facts = meta if isinstance(meta, dict) else {}
        return (
            str(props.get("model_path")),
            facts.get("n_params"),
            facts.get("size"),
            facts.get("n_vocab"),
        )

    def is_running(self, client: HttpClient, tag: int) -> bool | None:
        """Implements `Dialect.is_running`; a slot tells the seed of its answer."""
        try:
            slots = client.get("/slots")
        except ServerProblem as problem:
            if problem.is_lasting:  # it was started without that path
                return None
            raise
        rows = [one for one in slots if isinstance(one, dict)] if isinstance(slots, list) else []
        params = [(one, one["params"]) for one in rows if isinstance(one.get("params"), dict)]
        if not any(type(of_slot.get("seed")) is int for _, of_slot in params):
            return None
        return any(
            slot.get("is_processing") is True and of_slot.get("seed") == tag
            for slot, of_slot in params
        )

    def body(self, wanted: Wanted, tag: int, model: KnownModel, served: str) -> dict[str, Any]:
        """Implements `Dialect.body`."""
        sampling = wanted.sampling
        is_greedy = sampling.temperature <= 0
        return {
            "prompt": list(wanted.prompt),
            "n_predict": wanted.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": tag if sampling.seed is None else sampling.seed,
            "samplers": ["temperature"] if is_greedy else ["temperature", "top_p"],
            "n_probs": max(1, wanted.alternatives),
            "cache_prompt": True,
            "return_tokens": True,
            "timings_per_token": True,
            "stream": True,
            # The last event would repeat the prompt and all settings.
            "response_fields": ["content", "tokens", "stop", "stop_type", "timings"],
            **({"model": served} if served else {}),
        }

    def events(self, lines: Iterator[str], place: str) -> Iterator[Mapping[str, Any]]:
        """Implements `Dialect.events`."""
        return events.server_sent(lines, place)

    def piece(self, event: Mapping[str, Any], place: str) -> Piece:
        """Implements `Dialect.piece`."""
        timings = event.get("timings")
        timings = timings if isinstance(timings, dict) else {}
        counts = Piece(
            cached_tokens=events.count_in(timings.get("cache_n")),
            read_tokens=events.count_in(timings.get("prompt_n")),
        )
        if event.get("stop") is True:
            ended_itself = event.get("stop_type") == "eos"
            return replace(counts, is_end=True, ended_itself=ended_itself)
        text = events.text_in(event.get("content"), place)
        ids = events.ids_in(event.get("tokens", []), place)
        told = event.get("completion_probabilities", [])
        if not isinstance(told, list) or not all(isinstance(one, dict) for one in told):
            raise refusals.unreadable(place, "probabilities that are none")
        return replace(
            counts,
            ids=ids,
            text=text,
            logprobs=tuple(events.logprob_in(one.get("logprob"), place) for one in told),
            alternatives=tuple(events.likeliest_in(one.get("top_logprobs")) for one in told),
        )

    def _props(self, client: HttpClient) -> dict[str, Any]:
        props = client.get("/props")
        if not isinstance(props, dict):
            raise refusals.unreadable(client.place, "properties that are none")
        return props


def _tokens(client: HttpClient, body: Mapping[str, Any]) -> object:
    answer = client.post("/tokenize", body)
    return answer.get("tokens") if isinstance(answer, dict) else answer


def open_model(model: ModelBundle, options: EngineOptions) -> Engine:
    """Opens a model behind a llama-server; raises as `open_dialect`."""
    from model_runtime.engines.remote.engine import open_dialect

    return open_dialect(LlamaServer(), model, options)
