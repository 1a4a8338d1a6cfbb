"""Answers what clients ask of models: which there are, to add one, to use one."""

from __future__ import annotations

import asyncio
from typing import Any

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException, JsonRpcRequestCancelled

from fim_lsp.errors import FimLspError
from fim_lsp.lsp.adding_progress import shown_progress
from fim_lsp.lsp.fields import field_at
from fim_lsp.lsp.session import FimServer
from fim_lsp.model_offers.errors import AddingCancelled
from model_runtime.errors import ModelRuntimeError

MODELS = "fimLsp/models"
ADD_MODEL = "fimLsp.addModel"
USE_MODEL = "fimLsp.useModel"


class RequestFailed(JsonRpcException):
    """A request that was right and could not be fulfilled (LSP 3.17); its message is for people."""

    CODE = -32803


def install(server: FimServer) -> None:
    """Makes a server answer these requests."""
    server.feature(MODELS)(models)
    server.feature(lsp.WINDOW_WORK_DONE_PROGRESS_CANCEL)(cancel_progress)
    server.command(ADD_MODEL)(add_model)
    server.command(USE_MODEL)(use_model)


async def models(server: FimServer, params: Any) -> dict[str, Any]:
    """Returns the models that are installed, and those of the catalogue."""
    try:
        return await server.models.models()
    except (FimLspError, ModelRuntimeError) as error:
        raise RequestFailed(str(error)) from error


async def add_model(server: FimServer, *arguments: Any) -> dict[str, str]:
    """Adds a model of the catalogue and uses it; `message` says what keeps it from being used."""
    token = field_at(server.protocol.raw_params, "workDoneToken")
    name = _name(arguments)
    accepts = field_at(arguments[0], "acceptLicense") is True
    try:
        async with shown_progress(server, name, token):
            message = await server.models.add(name, accepts_license=accepts)
    except asyncio.CancelledError:  # `$/cancelRequest`, or the client has gone
        server.models.adder.cancel()
        raise
    except AddingCancelled as error:
        raise JsonRpcRequestCancelled(str(error)) from error
    except (FimLspError, ModelRuntimeError) as error:
        raise RequestFailed(str(error)) from error
    return {"name": name, "message": message}


async def use_model(server: FimServer, *arguments: Any) -> dict[str, str]:
    """Uses a model on this machine; `message` says what keeps it from being used."""
    name = _name(arguments)
    try:
        return {"name": name, "message": await server.models.use(name)}
    except (FimLspError, ModelRuntimeError) as error:
        raise RequestFailed(str(error)) from error


def cancel_progress(server: FimServer, params: lsp.WorkDoneProgressCancelParams) -> None:
    """Stops the work that a progress bar of ours shows."""
    server.cancel_progress(params.token)


def _name(arguments: tuple[Any, ...]) -> str:
    name = field_at(arguments[0] if arguments else None, "name")
    if not isinstance(name, str) or not name:
        raise RequestFailed('the command wants an argument like {"name": "default"}')
    return name
