"""Processes that have imported everything before they begin, so that hundreds can be killed.

They are forked from a process that has only imported (the standard library's fork server), so that
a kill meets the work and not the imports.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tests.faults.servers import Home
from tests.support.wire import Wire

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "fim_lsp.cli",
        "fim_lsp.lsp.stdio",
        "fim_lsp.logs",
        "model_runtime.cli",
        "model_runtime.served_model",
        "model_runtime.store.adding",
        "model_runtime.store.examination",
        "model_runtime.importers.huggingface",
        "model_runtime.engines.onnx.engine",
        "fim_lsp.feedback.acceptance_store",
        "filelock",
        "model_runtime.training.checkpoint",
        "tests.protocol.engine_server",
        "tests.faults.forked",
    ]
)


def start(work: Any, *arguments: Any) -> BaseProcess:
    """Starts a function of a module in a process of its own."""
    process = _CONTEXT.Process(target=work, args=arguments, daemon=True)
    process.start()
    return process


def kill(process: BaseProcess) -> bool:
    """Kills a process as the system does; tells whether it still ran."""
    process.kill()
    process.join()
    return process.exitcode == -9


def run_until(step: int, folder: Path, work: Any, *arguments: Any) -> None:
    """Runs a function that is killed before its change number `step` (from 1) below `folder`.

    Changes are what Python itself does to files: creates, renames and removes.
    """
    done = 0

    def count(event: str, values: tuple[Any, ...]) -> None:
        nonlocal done
        if event == "open":
            changes = isinstance(values[1], str) and any(sign in values[1] for sign in "wax+")
        else:
            changes = event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir")
        # What shutil.rmtree removes is named relative to a folder.
        if changes and (str(values[0]).startswith(str(folder)) or "/" not in str(values[0])):
            done += 1
            if done == step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    work(*arguments)


def run_program(main_of: str, arguments: list[str], home: Home) -> None:
    """Runs the `main` of a module, as its command would."""
    _enter(home.variables, home.path)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    module = importlib.import_module(main_of)
    os._exit(module.main(arguments))


def start_server(
    home: Home, *arguments: str, main_of: str = "fim_lsp.cli"
) -> tuple[BaseProcess, Wire]:
    """Starts a server on pipes; returns its process and a connection."""
    their_input, our_output = _CONTEXT.Pipe(duplex=False)
    our_input, their_output = _CONTEXT.Pipe(duplex=False)
    process = start(_serve, main_of, list(arguments), home, their_input, their_output)
    ours = [os.dup(end.fileno()) for end in (our_input, our_output)]
    for end in (their_input, their_output, our_input, our_output):
        end.close()
    return process, Wire(os.fdopen(ours[0], "rb"), os.fdopen(ours[1], "wb"))


def _serve(
    main_of: str, arguments: list[str], home: Home, source: Connection, sink: Connection
) -> None:
    log = os.open(home.path / "server.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number, end in enumerate((source.fileno(), sink.fileno(), log)):
        os.dup2(end, number)
    source.close()
    sink.close()
    _enter(home.variables, home.path)
    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    sys.argv = [main_of, *arguments]
    module = importlib.import_module(main_of)
    os._exit(module.main())


def _enter(variables: Mapping[str, str], folder: Path) -> None:
    os.environ.update(variables, OMP_NUM_THREADS="1")
    os.chdir(folder)
