"""Speaks to Ollama: `/api/generate` with `raw`, so that no template of its own changes a prompt.

An empty suffix would make it take its template for chats, so the whole prompt goes as one text.
What it does by default beside the likeliest token (a penalty for repetitions) is switched off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from model_runtime.engines.remote import completions, events, refusals
from model_runtime.engines.remote.dialect import Piece, ServerFacts, Wanted
from model_runtime.engines.remote.known_model import KnownModel
from model_runtime.engines.remote.problem import ServerProblem
from model_runtime.errors import shown

if TYPE_CHECKING:
    from model_runtime.engines.kind import EngineOptions
    from model_runtime.engines.protocol import Engine
    from model_runtime.engines.remote.client import HttpClient
    from model_runtime.models.bundle import ModelBundle

_CONTEXT = 4096
"""Ids that Ollama is told to have room for; another number in a request loads the model anew."""
_MAX_CONCURRENCY = 4
_EVERY = 97
"""Tokens are compared at every so many ids."""


class Ollama:
    """The dialect of Ollama's own interface."""

    name = "ollama"
    usual_address = "http://127.0.0.1:11434"
    path = "/api/generate"

    def facts(self, client: HttpClient, model: KnownModel, served: str) -> ServerFacts:
        """Implements `Dialect.facts`; compares tokens where it lists them."""
        entry = self._entry(client, served)
        name = str(entry.get("name"))
        answer = client.post("/api/show", {"model": name, "verbose": True})
        info = answer.get("model_info") if isinstance(answer, dict) else None
        info = info if isinstance(info, dict) else {}
        tokens = info.get("tokenizer.ggml.tokens")
        if isinstance(tokens, list) and (difference := _difference(tokens, model)):
            raise ServerProblem(
                f"the server {client.place} has another tokenizer than {model.name}: "
                f"{difference}; set model to the one that {name} is, or endpointModel to it",
                is_lasting=True,
            )
        known = events.count_in(info.get(f"{info.get('general.architecture')}.context_length"))
        longest = min(known or model.context_length, model.context_length)
        return ServerFacts(
            identity=(name, entry.get("digest")),
            context_length=min(longest, _CONTEXT),
            max_concurrency=_MAX_CONCURRENCY,
            served=name,
        )

    def identity(self, client: HttpClient, served: str) -> tuple[object, ...]:
        """Implements `Dialect.identity`."""
        entry = self._entry(client, served)
        return str(entry.get("name")), entry.get("digest")

    def is_running(self, client: HttpClient, tag: int) -> bool | None:
        """Implements `Dialect.is_running`; the server tells of no single answer."""
        return None

    def body(self, wanted: Wanted, tag: int, model: KnownModel, served: str) -> dict[str, Any]:
        """Implements `Dialect.body`."""
        sampling = wanted.sampling
        is_greedy = sampling.temperature <= 0
        return {
            "model": served,
            "prompt": model.text_of(wanted.prompt),
            "raw": True,
            "stream": True,
            "logprobs": True,
            "options": {
                "num_predict": wanted.max_tokens,
                "num_ctx": min(model.context_length, _CONTEXT),
                "temperature": sampling.temperature,
                "top_k": 1 if is_greedy else 0,
                "top_p": 1.0 if is_greedy else sampling.top_p,
                "repeat_penalty": 1.0,
                "stop": model.stop_texts,
                **({"seed": sampling.seed} if sampling.seed is not None else {}),
            },
        }

    def events(self, lines: Iterator[str], place: str) -> Iterator[Mapping[str, Any]]:
        """Implements `Dialect.events`."""
        return events.json_lines(lines, place)

    def piece(self, event: Mapping[str, Any], place: str) -> Piece:
        """Implements `Dialect.piece`."""
        rows = event.get("logprobs") or []
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise refusals.unreadable(place, "probabilities that are none")
        is_end = event.get("done") is True
        return Piece(
            text=events.text_in(event.get("response", ""), place),
            logprobs=tuple(events.logprob_in(row.get("logprob"), place) for row in rows),
            is_end=is_end,
            ended_itself=is_end and event.get("done_reason") == "stop",
        )

    def _entry(self, client: HttpClient, served: str) -> Mapping[str, Any]:
        """Returns the entry of the model in the list; `NAME` stands for `NAME:latest`."""
        listed = client.get("/api/tags")
        rows = listed.get("models") if isinstance(listed, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise refusals.unreadable(client.place, "a list of models that is none")
        names = [str(row.get("name")) for row in rows]
        latest = f"{served}:latest"
        named = latest if served and served not in names and latest in names else served
        entry: Mapping[str, Any] = rows[names.index(completions.chosen(names, named, client.place))]
        return entry


def open_model(model: ModelBundle, options: EngineOptions) -> Engine:
    """Opens a model behind Ollama; raises as `open_dialect`."""
    from model_runtime.engines.remote.engine import open_dialect

    return open_dialect(Ollama(), model, options)


def _difference(tokens: list[object], model: KnownModel) -> str:
    """Returns which id has another token there; empty where none that is compared has."""
    compared = [*sorted(model.special_ids), *range(0, model.tokenizer.size, _EVERY)]
    for id_ in compared:
        there = tokens[id_] if id_ < len(tokens) else None
        here = model.tokenizer.token_of(id_)
        if here and there != here:
            return f"id {id_} is {shown(there)} there and {shown(here)} here"
    return ""
