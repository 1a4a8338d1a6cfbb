"""A program that serves HTTP on a port of this machine, and can be killed and started again there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, Protocol

from tests.support.wire import TIMEOUT_SECONDS


class ModelServer(Protocol):
    """A server that runs a model, as tests see it from outside."""

    url: str

    def running(self) -> int:
        """Requests that it computes, or that wait for it."""
        ...

    def written(self) -> int:
        """Tokens that all requests so far were given, or passes that wrote them; never falls."""
        ...


class ServerProcess:
    """One program and its port; nothing runs before `start`."""

    def __init__(
        self, command: Sequence[str], port: int, environment: Mapping[str, str], patience: float
    ) -> None:
        """Notes how to start the program.

        Args:
            command: of the program; it listens on `port` of 127.0.0.1 and answers /health.
            port: a free one.
            environment: whole, not beside that of the tests.
            patience: seconds until it must have loaded its model.
        """
        self.url = f"http://127.0.0.1:{port}"
        self._command, self._environment = list(command), dict(environment)
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None
        self._log: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `stop`

    def start(self) -> None:
        """Starts the program, in a group of its own with all that it starts."""
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )

    def wait_until_loaded(self) -> None:
        """Returns when /health says so.

        Raises:
            RuntimeError: the program has ended.
            TimeoutError: it takes longer than it may.
        """
        self.wait_for_health(200)

    def wait_for_health(self, *statuses: int) -> int:
        """Returns the first of these statuses with which /health answers; raises as above."""
        assert self._process is not None, "the server was not started"
        deadline = time.monotonic() + self._patience
        while (status := self._health()) not in statuses:
            if self._process.poll() is not None:
                raise RuntimeError(f"the server has ended: {self.log()[-4000:]}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"the server is not ready: {self.log()[-4000:]}")
            time.sleep(0.005)
        return status

    def kill(self) -> None:
        """Ends the program and all that it started, as a crash does."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Ends the program for ever."""
        self.kill()
        self._log.close()

    def log(self) -> str:
        """All that the program has printed."""
        self._log.flush()
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), size, 0).decode(errors="replace")

    def get(self, path: str) -> bytes:
        """The content at a path."""
        with urllib.request.urlopen(self.url + path, timeout=TIMEOUT_SECONDS) as answer:
            content: bytes = answer.read()
        return content

    def get_json(self, path: str) -> Any:
        """The value at a path."""
        return json.loads(self.get(path))

    def _health(self) -> int:
        try:
            self.get("/health")
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        except OSError:
            return 0
        return 200


def wait_until_idle(server: ModelServer) -> None:
    """Returns when the server computes nothing."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while server.running():
        if time.monotonic() > deadline:
            raise TimeoutError("the server goes on")
        time.sleep(0.01)


def wait_until_asked(server: ModelServer, before: int) -> None:
    """Returns when the server computes something, or has written since `before` was counted.

    A short answer may be over between two looks, so what has been written must not be forgotten.
    """
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not server.running() and server.written() == before:
        if time.monotonic() > deadline:
            raise TimeoutError("the server was asked nothing")
        time.sleep(0.002)
