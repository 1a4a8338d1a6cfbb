"""Serves one editor on standard input and output."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from fim_lsp.completion.provider import CompletionProvider
from fim_lsp.lsp.connection import converse
from fim_lsp.lsp.handlers import new_server
from fim_lsp.lsp.pipes import Input, Output
from fim_lsp.lsp.session import FimServer, ProviderFactory
from fim_lsp.model_host.host import ModelHost
from fim_lsp.model_offers.manager import ModelManager

logger = logging.getLogger(__name__)

_POLL_SECONDS = 1.0


def serve_stdio(
    make_host: Callable[[], ModelHost], make_provider: ProviderFactory = CompletionProvider
) -> int:
    """Serves until the client exits or goes; returns the exit code of the process."""
    wire_in, wire_out = _claim_wire()
    return asyncio.run(_serve(make_host, make_provider, wire_in, wire_out))


def leave(exit_code: int) -> NoReturn:
    """Ends the process now, after the log is written and temporary forms of models are removed.

    The interpreter would wait for its threads first: for a model that is being loaded, for the
    token that is being decoded.  The editor is gone, and nobody wants either.
    """
    from model_runtime.engines.artifact_cache import remove_temporary_forms

    remove_temporary_forms()
    logging.shutdown()
    sys.stderr.flush()
    os._exit(exit_code)


async def _serve(
    make_host: Callable[[], ModelHost],
    make_provider: ProviderFactory,
    wire_in: int,
    wire_out: int,
) -> int:
    host = make_host()
    models = ModelManager(host)
    models.start()
    server = new_server(host, make_provider, models=models)
    reader = asyncio.StreamReader()
    source, output = Input(wire_in, reader), Output(wire_out)
    watches = [
        asyncio.ensure_future(_watch_parent(server, source)),
        asyncio.ensure_future(_watch_client(source, output)),
    ]
    try:
        exit_code = await converse(server, reader, output)
        await output.finish()
        return exit_code
    finally:
        for watch in watches:
            watch.cancel()
        models.close()
        host.close()


def _claim_wire() -> tuple[int, int]:
    """Takes standard input and output for messages alone; returns their new descriptors.

    Whatever a library prints from now on goes to standard error, and whatever it reads is empty.
    """
    wire_in, wire_out = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return wire_in, wire_out


async def _watch_client(source: Input, output: Output) -> None:
    """Stops writing to a client that has closed the input and reads nothing either.

    The end of the input is not noticed by itself while so much waits to be written that nothing is
    read.
    """
    while True:
        await asyncio.sleep(_POLL_SECONDS)
        if source.is_hung_up() and await output.is_stuck():
            output.give_up("the client has closed its side, and reads nothing")
            source.end()
            return


async def _watch_parent(server: FimServer, source: Input) -> None:
    """Ends the input when the process that started the client's side is gone.

    For an editor that was killed while a wrapper keeps the pipe open.  A process that cannot be
    seen from here in the first place (an editor outside this container) is not watched.
    """
    was_alive = False
    while True:
        await asyncio.sleep(_POLL_SECONDS)
        process_id = server.process_id
        if not isinstance(process_id, int):
            continue
        if _is_alive(process_id):
            if not was_alive:
                logger.info("process %d, which this server belongs to, is watched", process_id)
            was_alive = True
        elif was_alive:
            logger.info("process %d, which this server belongs to, is gone", process_id)
            source.end()
            return
        else:
            logger.info("process %d cannot be seen from here and is not watched", process_id)
            return


def _is_alive(process_id: int) -> bool:
    if sys.platform == "win32":  # signal 0 means Ctrl-C there
        import psutil

        return psutil.pid_exists(process_id)
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
