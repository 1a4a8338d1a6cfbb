"""Speaks as Ollama does: `/api/generate` with a suffix or a raw prompt, and `/api/tags`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from fim_lsp.http.errors import ApiError, ollama_error
from fim_lsp.http.exchange import CompletionApi, Stream
from fim_lsp.http.fields import Fields
from fim_lsp.http.prompts import parts_of_prompt
from fim_lsp.http.query import CompletionAnswer, CompletionQuery
from fim_lsp.http.service import ALIAS, CompletionService
from model_runtime.errors import shown


@dataclass(frozen=True)
class OllamaExchange:
    """One request of `/api/generate`."""

    query: CompletionQuery
    is_streamed: bool
    model: str

    @property
    def stream(self) -> Stream | None:
        """The form of the answer in parts; None where the client wants it whole."""
        return self if self.is_streamed else None

    def whole(self, answer: CompletionAnswer) -> Any:
        """Returns one object with the text."""
        return {**self._object(answer.text), **_end(answer)}

    def piece(self, text: str) -> bytes:
        """Returns a line with some text."""
        return _line({**self._object(text), "done": False})

    def end(self, answer: CompletionAnswer) -> Iterable[bytes]:
        """Returns the line that ends the answer."""
        yield _line({**self._object(""), **_end(answer)})

    def _object(self, text: str) -> dict[str, Any]:
        now = datetime.now(timezone.utc).isoformat().replace("+00:00", "Z")
        return {"model": self.model, "created_at": now, "response": text}


def _read(fields: Fields, service: CompletionService) -> OllamaExchange:
    name = _known_name(fields, service)
    prompt, options = fields.text("prompt", ""), fields.object("options")
    # Ollama's own clients send an empty suffix for none.
    parts = parts_of_prompt(prompt, fields.text("suffix", "") or None)
    most = options.whole("num_predict")
    if not prompt:  # asks for the model to be loaded
        most = 0
    query = CompletionQuery(
        parts.prefix,
        parts.suffix,
        parts.others,
        parts.path,
        max_tokens=None if most is None or most < 0 else most,
        stop=options.texts("stop"),
    )
    return OllamaExchange(query, is_streamed=fields.flag("stream", True), model=name)


def _known_name(fields: Fields, service: CompletionService) -> str:
    """Returns the name by which a client calls the model.

    Raises:
        ApiError: no model is called so.
    """
    name = fields.text("model", "") or fields.text("name", ALIAS)
    if name.removesuffix(":latest") not in (ALIAS, service.model.name):
        raise ApiError(404, f"model {shown(name)} not found")
    return name


def _end(answer: CompletionAnswer) -> dict[str, Any]:
    generation = answer.trace.generation
    ms = generation.timings.ms if generation else {}
    return {
        "done": True,
        "done_reason": "length" if answer.finish == "length" else "stop",
        "total_duration": _nanoseconds(answer.trace.timings.ms.get("total", 0.0)),
        "load_duration": 0,
        "prompt_eval_count": answer.num_prompt_tokens,
        "prompt_eval_duration": _nanoseconds(ms.get("first token", 0.0)),
        "eval_count": answer.num_new_tokens,
        "eval_duration": _nanoseconds(ms.get("decode", 0.0)),
    }


def _nanoseconds(milliseconds: float) -> int:
    return int(milliseconds * 1e6)


def _line(told: object) -> bytes:
    return json.dumps(told, ensure_ascii=False).encode() + b"\n"


GENERATE = CompletionApi(
    _read,
    ollama_error,
    media_type="application/x-ndjson",
    error_piece=lambda error: error + b"\n",
)


def tags(service: CompletionService) -> dict[str, Any]:
    """Returns the answer of `/api/tags`: the model that is loaded, under both of its names."""
    model = service.model
    told = {
        "modified_at": datetime.fromtimestamp(service.started, timezone.utc).isoformat(),
        "size": 0,
        "digest": model.fingerprint,
        "details": _details(service),
    }
    names = (model.name, f"{ALIAS}:latest")
    return {"models": [{"name": name, "model": name, **told} for name in names]}


def shown_model(fields: Fields, service: CompletionService) -> dict[str, Any]:
    """Returns the answer of `/api/show`, which tells clients that the model takes a suffix.

    Raises:
        ApiError: no model is called as the body says.
    """
    _known_name(fields, service)
    return {
        "modelfile": "",
        "parameters": "",
        "template": "{{ .Prompt }}{{ .Suffix }}",
        "details": _details(service),
        "model_info": {"general.context_length": service.model.engine.context_length},
        "capabilities": ["completion", "insert"],
    }


def _details(service: CompletionService) -> dict[str, Any]:
    parameters = service.model.parameters
    return {
        "parent_model": "",
        "format": "",
        "family": "",
        "families": [],
        "parameter_size": f"{parameters / 1e6:.0f}M" if parameters else "",
        "quantization_level": service.model.weights_dtype,
    }
