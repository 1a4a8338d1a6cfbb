"""Answers what clients ask of the past: why a request ended as it did, and what was accepted."""

from __future__ import annotations

import asyncio
from typing import Any

from fim_lsp.completion.explanation import markdown
from fim_lsp.completion.trace import MAX_TRACES
from fim_lsp.completion.trace_json import as_json
from fim_lsp.lsp.fields import field_at
from fim_lsp.lsp.session import FimServer

EXPLAIN = "fimLsp/explain"
STATS = "fimLsp/stats"


def install(server: FimServer) -> None:
    """Makes a server answer these requests."""
    server.feature(EXPLAIN)(explain)
    server.feature(STATS)(stats)


def explain(server: FimServer, params: Any) -> dict[str, Any]:
    """Returns the traces of the last requests, and what they say in Markdown."""
    raw = server.protocol.raw_params
    uri, limit = field_at(raw, "uri"), field_at(raw, "limit")
    traces = server.provider.log.newest(
        uri if isinstance(uri, str) else "",
        limit if type(limit) is int and limit > 0 else MAX_TRACES,
    )
    return {
        "traces": [as_json(trace) for trace in traces],
        "markdown": markdown(traces, server.documents.relative_path),
    }


async def stats(server: FimServer, params: Any) -> dict[str, Any]:
    """Returns what was accepted on the last days, as counted on this machine."""
    days = await asyncio.to_thread(server.provider.days)
    return {
        "days": [day._asdict() for day in days],
        "isCounting": server.settings.learn_from_use,
    }
