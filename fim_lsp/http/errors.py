"""Defines the errors that a client is told; each API writes them in its own form."""

from __future__ import annotations

from typing import Any

from model_runtime.errors import shown


class ApiError(Exception):
    """A request that is not served: a status code, and one sentence that says what to change."""

    def __init__(
        self,
        status: int,
        message: str,
        type_: str = "invalid_request_error",
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.type = type_
        """Kind of error, in the words that llama.cpp and OpenAI use."""
        self.code = code
        """Code that OpenAI's clients look at, where there is one."""

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the response."""
        if self.status == 503:
            return {"Retry-After": "1"}
        return {"WWW-Authenticate": "Bearer"} if self.status == 401 else {}


def wrong_type(name: str, expected: str, value: object) -> ApiError:
    """Returns the error that names a field whose value is of another kind."""
    return ApiError(400, f"`{name}` must be {expected}, not {shown(value)}")


def model_unknown(name: str, known: str) -> ApiError:
    """Returns the error for a model that is not the one which is loaded."""
    return ApiError(
        404,
        f"the model {shown(name)} does not exist here; use {known!r} or 'fim-lsp'",
        code="model_not_found",
    )


def llama_cpp_error(error: ApiError) -> dict[str, Any]:
    """Returns an error as llama.cpp's server writes it."""
    return {"error": {"code": error.status, "message": error.message, "type": error.type}}


def openai_error(error: ApiError) -> dict[str, Any]:
    """Returns an error as OpenAI's API writes it."""
    told = {"message": error.message, "type": error.type, "param": None, "code": error.code}
    return {"error": told}


def ollama_error(error: ApiError) -> dict[str, Any]:
    """Returns an error as Ollama writes it."""
    return {"error": error.message}
