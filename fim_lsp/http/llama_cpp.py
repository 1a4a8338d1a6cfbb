"""Speaks as llama.cpp's server does: `/infill`, `/completion`, and what tells of the model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fim_lsp import version
from fim_lsp.http.errors import llama_cpp_error
from fim_lsp.http.exchange import CompletionApi, Stream, event
from fim_lsp.http.fields import Fields
from fim_lsp.http.prompts import parts_of_prompt, prompt_text
from fim_lsp.http.query import CompletionAnswer, CompletionQuery, OtherFile
from fim_lsp.http.service import CompletionService
from model_runtime.decoding.stop_rules import STOP_STRING, indentation


@dataclass(frozen=True)
class LlamaCppExchange:
    """One request of `/infill` or `/completion`."""

    query: CompletionQuery
    is_streamed: bool
    slot: int
    min_indentation: int
    response_fields: tuple[str, ...] | None
    """Fields that the client wants; None for all of them."""

    @property
    def stream(self) -> Stream | None:
        """The form of the answer in parts; None where the client wants it whole."""
        return self if self.is_streamed else None

    def whole(self, answer: CompletionAnswer) -> Any:
        """Returns one object, or a list of them where several answers were asked for."""
        texts = answer.texts or [""]
        if self.query.count > 1:
            return [self._object(answer, text, at) for at, text in enumerate(texts)]
        return self._object(answer, texts[0], 0)

    def piece(self, text: str) -> bytes:
        """Returns an event with some text."""
        told = {"index": 0, "content": text, "tokens": [], "stop": False, "id_slot": self.slot}
        return event(told)

    def end(self, answer: CompletionAnswer) -> Iterable[bytes]:
        """Returns the event that ends the answer."""
        yield event(self._object(replace(answer, texts=()), "", 0))

    def _object(self, answer: CompletionAnswer, text: str, index: int) -> dict[str, Any]:
        content = _indented(text, self.min_indentation)
        told = {
            "index": index,
            "content": content,
            "tokens": [],
            "id_slot": self.slot,
            "stop": True,
            "model": answer.model,
            "tokens_predicted": answer.num_new_tokens,
            "tokens_evaluated": answer.num_prompt_tokens,
            "generation_settings": {"n_predict": self.query.max_tokens},
            "prompt": "",
            "has_new_line": "\n" in content,
            "truncated": False,  # prompts are cut to fit; the context is never exceeded
            "stop_type": _stop_type(answer.finish),
            "stopping_word": "",
            "tokens_cached": answer.num_cached_tokens,
            "timings": _timings(answer),
        }
        if self.response_fields is None:
            return told
        return dict(_lifted(told, self.response_fields))


def _read_infill(fields: Fields, service: CompletionService) -> LlamaCppExchange:
    others = tuple(
        OtherFile(extra.text("filename", ""), extra.text("text"))
        for extra in fields.objects("input_extra")
    )
    query = CompletionQuery(
        prefix=fields.text("input_prefix") + fields.text("prompt", ""),
        suffix=fields.text("input_suffix"),
        others=others,
    )
    return _exchange(fields, query)


def _read_completion(fields: Fields, service: CompletionService) -> LlamaCppExchange:
    parts = parts_of_prompt(prompt_text(fields, service.model), None)
    return _exchange(fields, CompletionQuery(parts.prefix, parts.suffix, parts.others, parts.path))


def _exchange(fields: Fields, query: CompletionQuery) -> LlamaCppExchange:
    wanted = fields.whole("n_predict")
    if wanted is None:
        wanted = fields.whole("max_tokens")
    slot = fields.whole("id_slot")
    return LlamaCppExchange(
        replace(
            query,
            max_tokens=None if wanted is None or wanted < 0 else wanted,
            time_limit_ms=fields.whole("t_max_predict_ms") or None,
            stop=fields.texts("stop"),
            count=fields.whole("n_cmpl") or 1,
        ),
        is_streamed=fields.flag("stream"),
        slot=0 if slot is None else slot,
        min_indentation=fields.whole("n_indent") or 0,
        response_fields=_response_fields(fields),
    )


def _response_fields(fields: Fields) -> tuple[str, ...] | None:
    return fields.texts("response_fields") if fields.raw("response_fields") else None


def _lifted(told: dict[str, Any], names: Sequence[str]) -> Iterable[tuple[str, Any]]:
    """Yields the fields with these names; a slash leads into an object."""
    for name in names:
        value: Any = told
        for part in name.split("/"):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            yield name, value


def _indented(text: str, least: int) -> str:
    """Returns the lines up to the first one below that is indented less than was asked for."""
    lines = text.split("\n")
    for number, line in enumerate(lines[1:], 1):
        if line.strip() and indentation(line) < least:
            return "\n".join(lines[:number])
    return text


def _stop_type(finish: str) -> str:
    return {STOP_STRING: "word", "length": "limit", "": "none"}.get(finish, "eos")


def _timings(answer: CompletionAnswer) -> dict[str, float]:
    generation = answer.trace.generation
    ms = generation.timings.ms if generation else {}
    read = generation.decoding.read_tokens if generation and generation.decoding else 0
    return {
        **_rate("prompt", read, ms.get("first token", ms.get("read", 0.0))),
        **_rate("predicted", answer.num_new_tokens, ms.get("decode", 0.0)),
    }


def _rate(name: str, tokens: int, milliseconds: float) -> dict[str, float]:
    return {
        f"{name}_n": tokens,
        f"{name}_ms": round(milliseconds, 3),
        f"{name}_per_token_ms": round(milliseconds / tokens, 3) if tokens else 0.0,
        f"{name}_per_second": round(tokens / milliseconds * 1e3, 3) if milliseconds else 0.0,
    }


INFILL = CompletionApi(_read_infill, llama_cpp_error)
COMPLETION = CompletionApi(_read_completion, llama_cpp_error)


def properties(service: CompletionService) -> dict[str, Any]:
    """Returns the answer of `/props`."""
    model = service.model
    settings = {
        "n_predict": service.settings.max_new_tokens,
        "temperature": 0.0,
        "samplers": [],
    }
    return {
        "default_generation_settings": {
            "id": 0,
            "n_ctx": model.engine.context_length,
            "params": settings,
        },
        "total_slots": model.engine.max_concurrency,
        "model_path": model.name,
        "model_alias": model.name,
        "chat_template": "",
        "build_info": f"fim-lsp {version()}",
    }
