"""Speaks as Tabby's server does: `segments` on the path of OpenAI's API, and `/v1/health`."""

from __future__ import annotations

import os
import platform
import uuid
from dataclasses import dataclass, field
from typing import Any

from fim_lsp import version
from fim_lsp.http.fields import Fields
from fim_lsp.http.query import CompletionAnswer, CompletionQuery, OtherFile
from fim_lsp.http.service import CompletionService


@dataclass(frozen=True)
class TabbyExchange:
    """One request with `segments`; Tabby's API has no streams."""

    query: CompletionQuery
    stream: None = None
    id: str = field(default_factory=lambda: f"cmpl-{uuid.uuid4().hex}")

    def whole(self, answer: CompletionAnswer) -> Any:
        """Returns an object with a choice for each text."""
        texts = answer.texts or [""]
        choices = [{"index": at, "text": text} for at, text in enumerate(texts)]
        return {"id": self.id, "choices": choices}


def read_segments(fields: Fields) -> TabbyExchange:
    """Returns the request of a body with `segments`.

    Raises:
        ApiError: a field is wrong.
    """
    segments = fields.object("segments")
    others = [
        OtherFile(one.text("filepath", ""), one.text("body"))
        for name in ("relevant_snippets_from_changed_files", "declarations")
        for one in segments.objects(name)
    ]
    query = CompletionQuery(
        prefix=segments.text("prefix"),
        suffix=segments.text("suffix", ""),
        others=tuple(others),
        path=segments.text("filepath", ""),
        language=fields.text("language", ""),
        client=fields.text("user", ""),
    )
    return TabbyExchange(query)


def health(service: CompletionService) -> dict[str, Any]:
    """Returns the answer of `/v1/health`."""
    return {
        "model": service.model.name,
        "device": service.settings.device,
        "arch": platform.machine(),
        "cpu_info": platform.processor(),
        "cpu_count": os.cpu_count() or 1,
        "cuda_devices": [],
        "version": {
            "build_date": "",
            "build_timestamp": "",
            "git_sha": "",
            "git_describe": f"fim-lsp {version()}",
        },
    }
