"""Speaks as OpenAI's completions API does, and as Mistral's for filling in the middle.

Both take prompt and suffix; they differ in where the answer has its text.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from fim_lsp.http.errors import model_unknown, openai_error
from fim_lsp.http.exchange import CompletionApi, Exchange, Stream, event
from fim_lsp.http.fields import Fields
from fim_lsp.http.prompts import parts_of_prompt, prompt_text
from fim_lsp.http.query import CompletionAnswer, CompletionQuery
from fim_lsp.http.service import ALIAS, CompletionService
from fim_lsp.http.tabby import read_segments


@dataclass(frozen=True)
class OpenAiExchange:
    """One request of `/v1/completions` or `fim/completions`."""

    query: CompletionQuery
    is_streamed: bool
    model: str
    is_chat_shaped: bool
    """Whether the text is the content of a message, as in Mistral's API."""
    wants_usage: bool
    """Whether the end of a stream tells the numbers of tokens."""
    id: str = field(default_factory=lambda: f"cmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def stream(self) -> Stream | None:
        """The form of the answer in parts; None where the client wants it whole."""
        return self if self.is_streamed else None

    def whole(self, answer: CompletionAnswer) -> Any:
        """Returns an object with a choice for each text."""
        texts: Sequence[str] = answer.texts or [""]
        choices = [
            self._choice(text, at, _finish(answer), is_part=False) for at, text in enumerate(texts)
        ]
        return {**self._object(choices, is_part=False), "usage": _usage(answer)}

    def piece(self, text: str) -> bytes:
        """Returns an event with some text."""
        return event(self._object([self._choice(text, 0, None, is_part=True)], is_part=True))

    def end(self, answer: CompletionAnswer) -> Iterable[bytes]:
        """Returns the events that end the answer."""
        last = [self._choice("", 0, _finish(answer), is_part=True)]
        yield event(self._object(last, is_part=True))
        if self.wants_usage:
            yield event({**self._object([], is_part=True), "usage": _usage(answer)})
        yield b"data: [DONE]\n\n"

    def _object(self, choices: list[dict[str, Any]], *, is_part: bool) -> dict[str, Any]:
        kind = "text_completion"
        if self.is_chat_shaped:
            kind = "chat.completion.chunk" if is_part else "chat.completion"
        told = {"id": self.id, "object": kind, "created": self.created, "model": self.model}
        return {**told, "choices": choices}

    def _choice(
        self, text: str, index: int, finish: str | None, *, is_part: bool
    ) -> dict[str, Any]:
        if not self.is_chat_shaped:
            return {"text": text, "index": index, "logprobs": None, "finish_reason": finish}
        message = {"role": "assistant", "content": text}
        return {"index": index, "delta" if is_part else "message": message, "finish_reason": finish}


def _read(fields: Fields, service: CompletionService) -> Exchange:
    if "segments" in fields:
        return read_segments(fields)
    return _exchange(fields, service, is_chat_shaped=False)


def _read_fim(fields: Fields, service: CompletionService) -> Exchange:
    return _exchange(fields, service, is_chat_shaped=True)


def _exchange(
    fields: Fields, service: CompletionService, *, is_chat_shaped: bool
) -> OpenAiExchange:
    model = service.model
    name = fields.text("model", model.name)
    if name not in (model.name, ALIAS):
        raise model_unknown(name, model.name)
    # Clients of other APIs send an empty suffix at the end of a file.
    suffix = fields.text("suffix") if "suffix" in fields else None
    parts = parts_of_prompt(prompt_text(fields, model), suffix)
    most = fields.whole("max_tokens")
    query = CompletionQuery(
        parts.prefix,
        parts.suffix,
        parts.others,
        parts.path,
        max_tokens=most if most is None or most > 0 else 0,
        stop=fields.texts("stop"),
        count=fields.whole("n") or 1,
        client=fields.text("user", ""),
    )
    return OpenAiExchange(
        query,
        is_streamed=fields.flag("stream"),
        model=model.name,
        is_chat_shaped=is_chat_shaped,
        wants_usage=fields.object("stream_options").flag("include_usage"),
    )


def _finish(answer: CompletionAnswer) -> str:
    return "length" if answer.finish == "length" else "stop"


def _usage(answer: CompletionAnswer) -> dict[str, int]:
    read, written = answer.num_prompt_tokens, answer.num_new_tokens
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
    }


COMPLETIONS = CompletionApi(_read, openai_error)
FIM_COMPLETIONS = CompletionApi(_read_fim, openai_error)


def models(service: CompletionService) -> dict[str, Any]:
    """Returns the answer of `/v1/models`: the model that is loaded."""
    model = service.model
    told = {
        "id": model.name,
        "object": "model",
        "created": service.started,
        "owned_by": "fim-lsp",
        "meta": {"n_ctx_train": model.engine.context_length, "n_params": model.parameters},
    }
    return {"object": "list", "data": [told]}
