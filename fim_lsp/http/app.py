"""Puts the paths of all APIs into one ASGI application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from fim_lsp import version
from fim_lsp.completion.trace import MAX_TRACES
from fim_lsp.completion.trace_json import as_json
from fim_lsp.http import llama_cpp, ollama, openai, tabby
from fim_lsp.http.body import read_fields
from fim_lsp.http.endpoint import completion_endpoint, error_response
from fim_lsp.http.errors import ApiError, llama_cpp_error
from fim_lsp.http.exchange import CompletionApi
from fim_lsp.http.fields import Fields
from fim_lsp.http.guard import Guard
from fim_lsp.http.service import CompletionService
from fim_lsp.http.tokens import detokenized, tokenized

_COMPLETION_PATHS = {
    "/infill": llama_cpp.INFILL,
    "/completion": llama_cpp.COMPLETION,
    "/completions": llama_cpp.COMPLETION,
    "/v1/completions": openai.COMPLETIONS,
    "/v1/fim/completions": openai.FIM_COMPLETIONS,
    "/fim/completions": openai.FIM_COMPLETIONS,
    "/api/generate": ollama.GENERATE,
}

Told = Callable[[CompletionService], dict[str, Any]]


def new_app(service: CompletionService, hosts: Iterable[str], token: str | None) -> ASGIApp:
    """Returns the application.

    Args:
        service: completes.
        hosts: names and addresses by which clients may call this server, beside the local ones.
        token: proof that a client may use it; None where any program of the user may.
    """
    told: dict[str, tuple[CompletionApi, Told]] = {
        "/health": (llama_cpp.INFILL, _health),
        "/v1/health": (openai.COMPLETIONS, tabby.health),
        "/props": (llama_cpp.INFILL, llama_cpp.properties),
        "/v1/models": (openai.COMPLETIONS, openai.models),
        "/models": (openai.COMPLETIONS, openai.models),
        "/api/tags": (ollama.GENERATE, ollama.tags),
        "/api/version": (ollama.GENERATE, lambda _: {"version": version()}),
    }
    asked: dict[str, tuple[CompletionApi, Callable[[Fields], dict[str, Any]]]] = {
        "/tokenize": (llama_cpp.INFILL, lambda fields: tokenized(fields, service.model)),
        "/detokenize": (llama_cpp.INFILL, lambda fields: detokenized(fields, service.model)),
        "/api/show": (ollama.GENERATE, partial(ollama.shown_model, service=service)),
    }
    routes = [
        Route("/", _root),
        Route("/v1/traces", partial(_traces, service)),
        *(
            Route(path, completion_endpoint(api, service), methods=["POST"])
            for path, api in _COMPLETION_PATHS.items()
        ),
        *(Route(path, _telling(*one, service)) for path, one in told.items()),
        *(Route(path, _answering(*one), methods=["POST"]) for path, one in asked.items()),
    ]
    handlers: Any = {HTTPException: _not_found}
    return Guard(Starlette(routes=routes, exception_handlers=handlers), hosts, token)


async def _root(_: Request) -> Response:
    return PlainTextResponse(f"fim-lsp {version()} is running")


def _health(service: CompletionService) -> dict[str, Any]:
    return {"status": "ok", "model": service.model.name}


async def _traces(service: CompletionService, request: Request) -> Response:
    limit = request.query_params.get("limit", "")
    most = int(limit) if limit.isdecimal() and len(limit) < 9 else MAX_TRACES
    return JSONResponse({"traces": [as_json(trace) for trace in service.traces(most)]})


def _telling(
    api: CompletionApi, tell: Told, service: CompletionService
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(_: Request) -> Response:
        try:
            return JSONResponse(tell(service))
        except ApiError as error:
            return error_response(api, error)

    return endpoint


def _answering(
    api: CompletionApi, answer: Callable[[Fields], dict[str, Any]]
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return JSONResponse(answer(await read_fields(request)))
        except ApiError as error:
            return error_response(api, error)
        except ClientDisconnect:
            return Response(status_code=499)  # nobody reads it

    return endpoint


async def _not_found(request: Request, error: Exception) -> Response:
    """Answers a path or a method that is not served."""
    assert isinstance(error, HTTPException)
    path = f"{request.method} {request.url.path[:100]}"
    told = ApiError(error.status_code, f"{path} is not served here", "not_found_error")
    return JSONResponse(llama_cpp_error(told), error.status_code, error.headers)
