"""Real servers with folders of their own, and what the system says of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.wire import Wire, did_change, replace, start_stdio

ROOT = Path(__file__).parents[2]
SERVER = (sys.executable, "-m", "fim_lsp")
SCRIPTED = (sys.executable, str(ROOT / "tests" / "protocol" / "scripted_server.py"))
"""The server whose suggestions are the text that it holds."""
ENGINE = (sys.executable, str(ROOT / "tests" / "protocol" / "engine_server.py"))
"""The server whose engine is scripted."""
FUNCTIONS = "".join(f"def add_{i}(a, b):\n    return a + b + {i}\n\n\n" for i in range(40))
TEXT = f"import os\n\n\n{FUNCTIONS}def total(numbers):\n    result = 0\n    for number in "
LINE, CHARACTER = TEXT.count("\n"), len("    for number in ")


@dataclass(frozen=True)
class Home:
    """The folders of one user."""

    path: Path
    runtime: Path
    """Short, for the path of a socket must be."""

    @classmethod
    @contextmanager
    def made(cls, path: Path) -> Iterator[Home]:
        """Makes the folders, and removes them."""
        home = cls(path, Path(tempfile.mkdtemp(prefix="fim")))
        for folder in (home.data, home.cache, home.state, home.temporary):
            folder.mkdir(parents=True, exist_ok=True)
        try:
            yield home
        finally:
            shutil.rmtree(home.runtime, ignore_errors=True)
            shutil.rmtree(path, ignore_errors=True)

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def cache(self) -> Path:
        return self.path / "cache"

    @property
    def state(self) -> Path:
        return self.path / "state"

    @property
    def temporary(self) -> Path:
        return self.path / "tmp"

    @property
    def models(self) -> Path:
        return self.data / "fim-lsp" / "models"

    @property
    def derived(self) -> Path:
        return self.cache / "fim-lsp" / "derived"

    @property
    def counts(self) -> Path:
        return self.state / "fim-lsp" / "accepted.json"

    @property
    def variables(self) -> dict[str, str]:
        """Returns the variables that lead a program to these folders."""
        return {
            "HOME": str(self.path),
            "XDG_DATA_HOME": str(self.data),
            "XDG_CACHE_HOME": str(self.cache),
            "XDG_STATE_HOME": str(self.state),
            "XDG_CONFIG_HOME": str(self.path / "config"),
            "XDG_RUNTIME_DIR": str(self.runtime),
            "TMPDIR": str(self.temporary),
        }

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, **self.variables, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


@dataclass(frozen=True)
class Server:
    """A server process, a connection to it, and its log."""

    process: subprocess.Popen[bytes]
    wire: Wire
    read_log: Callable[[], str]

    def memory_mb(self, kind: str = "VmHWM") -> float:
        """Resident memory: VmHWM, the largest so far, or VmRSS."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(kind):
                return int(line.split()[1]) * 1024 / 1e6
        return 0.0

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def complete(self) -> list[str]:
        """Opens a document, and returns what is suggested at its end when asked by hand."""
        self.wire.open(TEXT)
        items = self.wire.complete(LINE, CHARACTER, kind=1)["items"]
        return [item["insertText"] for item in items]

    def type(self, keys: int) -> None:
        """Types into a document of its own, asks at each key, and accepts what is suggested."""
        uri = "file:///project/typed.py"
        self.wire.open("x = \n", uri=uri)
        for number in range(keys):
            edit = replace((0, 0), (0, 1), chr(97 + number % 26))
            self.wire.send(did_change(number + 2, edit, uri=uri))
            for item in self.wire.complete(0, 4, uri=uri)["items"]:
                self.wire.result("workspace/executeCommand", item["command"])

    def become_ready(self, **settings: Any) -> Server:
        """Initializes, and waits for the model."""
        self.wire.initialize(initializationOptions=settings)
        status = self.wire.receive(is_settled)["params"]
        assert "ready" == status["state"], status
        return self


def is_settled(message: dict[str, Any]) -> bool:
    """Tells whether a message says that the model is there, or why it is not."""
    return message.get("method") == "fimLsp/status" and message["params"]["state"] in (
        "ready",
        "error",
    )


@contextmanager
def serving(
    home: Home, command: Sequence[str] = SERVER, *arguments: str, **options: Any
) -> Iterator[Server]:
    """Starts a server on pipes; kills what is left of it.

    Args:
        home: its folders.
        command: of the server.
        arguments: further ones.
        options: of `subprocess.Popen`, as `preexec_fn`; `env` is added to the home's.
    """
    environment = {**home.environment, **options.pop("env", {})}
    with tempfile.TemporaryFile() as log:

        def read_log() -> str:
            size = os.fstat(log.fileno()).st_size
            return os.pread(log.fileno(), size, 0).decode("utf-8", "replace")

        process, wire = start_stdio(
            [*command, *arguments], stderr=log, env=environment, cwd=home.path, **options
        )
        try:
            yield Server(process, wire, read_log)
        finally:
            process.kill()
            process.wait()
            wire.close()
