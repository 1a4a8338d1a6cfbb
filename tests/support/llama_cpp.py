"""llama.cpp's own server beside the engines: stock, with the bundle's weights and a prompt cache.

    with LlamaCpp.start(bundle, "q8_0", threads=1) as llama:  # or `serve` with a GGUF file
        ids = llama.complete(prompt_ids, 8)      # greedy; what the slot holds is not run again
        llama.last.cached, llama.last.prompt_ms  # the server's own figures of that request
        llama.program                            # which llama.cpp it was, for the record

Taken is, in this order: the program in $FIM_LSP_LLAMA_SERVER, `llama-server` on PATH, and the
package xllamacpp, which is the same server as a library, compiled for every x86-64 with AVX2 (so it
serves to test, and understates llama.cpp's speed on newer processors).  `make llama-server` builds
the first for this machine, `make test-llama-cpp` installs the last one; both look for
$FIM_LSP_XLLAMACPP, a folder that has the package.

The server has one slot, whose cache keeps the common prefix of one prompt and the next, as it does
for an editor.  It is asked over HTTP on a connection that stays open.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from model_runtime.engines.artifact_cache import artifact_folder
from model_runtime.exporters.gguf import export_gguf
from model_runtime.models.bundle import ModelBundle

_HOST = "127.0.0.1"
_HOSTED = Path(__file__).with_name("xllamacpp_server.py")


class NoLlamaCpp(Exception):
    """There is no llama.cpp on this machine."""


@dataclass(frozen=True)
class Timings:
    """The server's figures of one request."""

    cached: int
    """Ids of the prompt that were in the cache."""
    prompt_ms: float
    """Time of the ids that were not, with the first token."""
    decode_ms: float
    """Time of the tokens after the first."""


@dataclass(frozen=True)
class Program:
    """A llama.cpp that can be started."""

    command: tuple[str, ...]
    environment: dict[str, str]
    name: str
    """Name for the record."""

    @classmethod
    def find(cls) -> Program:
        """The best one here.

        Raises:
            NoLlamaCpp: none; the message says how to get one.
        """
        if path := os.environ.get("FIM_LSP_LLAMA_SERVER") or shutil.which("llama-server"):
            asked = subprocess.run([path, "--version"], capture_output=True, text=True)
            version = next(
                (line for line in (asked.stdout + asked.stderr).splitlines() if "version" in line),
                "version unknown",
            )
            return cls((path,), {}, f"llama-server, {version}")
        folder = os.environ.get("FIM_LSP_XLLAMACPP")
        if folder or find_spec("xllamacpp"):
            found = metadata.distributions(name="xllamacpp", path=[folder] if folder else sys.path)
            version = next((entry.version for entry in found), "of unknown version")
            environment = {"PYTHONPATH": folder} if folder else {}
            command = (sys.executable, str(_HOSTED))
            return cls(command, environment, f"server of xllamacpp {version}, built for AVX2")
        raise NoLlamaCpp(
            "there is no llama.cpp here; build it with `make llama-server`, name one in "
            "FIM_LSP_LLAMA_SERVER, or install the package xllamacpp"
        )


class LlamaCpp:
    """A running server with one model; `start` and `serve` make one."""

    last: Timings
    """Figures of the last request."""

    def __init__(self, program: str, port: int, pid: int, end: int) -> None:
        self.program = program
        self.pid = pid
        self.url = f"http://{_HOST}:{port}"
        self._end = end
        self._connection = http.client.HTTPConnection(_HOST, port, timeout=600)

    @classmethod
    @contextmanager
    def start(
        cls,
        bundle: ModelBundle,
        type_: str,
        *,
        threads: int,
        context: int | None = None,
        float32_cache: bool = False,
        options: Sequence[str] = (),
    ) -> Iterator[LlamaCpp]:
        """Export, start, wait until the model is loaded; stop at the end.

        Args:
            bundle: whose weights to run.
            type_: of the GGUF file: f32, f16, q8_0 or q4_0.
            threads: for prompts and for decoding.
            context: of the slot, in tokens; None for the model's.
            float32_cache: for exact comparisons; stock is float16.
            options: further ones of llama-server.

        Raises:
            NoLlamaCpp: there is none, or it does not come up.
        """
        sizes = ("--threads", str(threads), "--threads-batch", str(threads),
                 "--ctx-size", str(context or bundle.manifest.context_length))  # fmt: skip
        cache = FLOAT32_CACHE if float32_cache else ()
        file, end = gguf_of(bundle, type_), bundle.manifest.prompt.end
        with cls.serve(file, end, (*sizes, *cache, *options)) as server:
            yield server

    @classmethod
    @contextmanager
    def serve(cls, file: Path, end: int, options: Sequence[str]) -> Iterator[LlamaCpp]:
        """Starts the server with one slot and a GGUF file; stops it at the end.

        Args:
            file: the model.
            end: id that ends its answers.
            options: of llama-server; what they leave out is as it comes.

        Raises:
            NoLlamaCpp: there is none, or it does not come up.
        """
        program, port = Program.find(), _free_port()
        command = [
            *program.command,
            *("--model", str(file), "--alias", "m", "--host", _HOST, "--port", str(port)),
            *("--parallel", "1", *options),
        ]
        with tempfile.TemporaryFile() as log:
            environment = {**os.environ, **program.environment}
            process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
            try:
                _wait_until_loaded(process, port, log)
                server = cls(program.name, port, process.pid, end)
                try:
                    yield server
                finally:
                    server.close()
            finally:
                process.terminate()
                process.wait()

    def complete(self, ids: Sequence[int], n: int, *, ignore_end: bool = False) -> list[int]:
        """The next `n` ids, or fewer if the model ends its answer; END is not among them.

        Args:
            ids: the whole prompt; its leading ids that are those of the last one are cached.
            n: most tokens of the answer.
            ignore_end: go on after END, so that a measurement gets as many as it asks for.
        """
        request = {
            "prompt": list(ids),
            "n_predict": n,
            "temperature": 0,
            "samplers": ["top_k"],
            "top_k": 1,
            "cache_prompt": True,
            "id_slot": 0,
            "ignore_eos": ignore_end,
            "return_tokens": True,
        }
        told = self.post("/completion", request)
        timings = told["timings"]
        self.last = Timings(timings["cache_n"], timings["prompt_ms"], timings["predicted_ms"])
        return [id_ for id_ in told["tokens"] if ignore_end or id_ != self._end]

    def post(self, path: str, request: dict[str, object]) -> dict:
        """Any other request of the server, as JSON."""
        try:
            answer = self._send(path, request)
        except (ConnectionError, http.client.HTTPException):
            # The server ends a connection after a hundred requests, or some idle seconds.
            self.close()
            answer = self._send(path, request)
        told = json.loads(answer.read())
        if answer.status != 200:
            raise RuntimeError(f"llama.cpp answers {path} with {answer.status}: {told}")
        return told

    def close(self) -> None:
        """End the connection; the next request makes another."""
        self._connection.close()

    def _send(self, path: str, request: dict[str, object]) -> http.client.HTTPResponse:
        body, kind = json.dumps(request), {"Content-Type": "application/json"}
        self._connection.request("POST", path, body, kind)
        return self._connection.getresponse()

    def processor_seconds(self) -> float:
        """Processor time of all its threads since the start; NaN where there is no /proc."""
        try:
            parts = Path(f"/proc/{self.pid}/task").glob("*/schedstat")
            return sum(int(part.read_text().split()[0]) for part in parts) / 1e9
        except (OSError, ValueError):
            return float("nan")


FLOAT32_CACHE = ("--cache-type-k", "f32", "--cache-type-v", "f32", "--flash-attn", "off")
"""Options with which it keeps keys and values exactly; its own choice is float16."""


def gguf_of(bundle: ModelBundle, type_: str) -> Path:
    """The bundle as a GGUF file, made once and kept in the cache."""

    def build(folder: Path) -> None:
        export_gguf(bundle, folder / "model.gguf", type_)

    folder = artifact_folder(
        bundle, kind=f"gguf-{type_}", version=metadata.version("gguf"), build=build
    )
    return folder / "model.gguf"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


def _wait_until_loaded(process: subprocess.Popen[bytes], port: int, log) -> None:
    """Ask /health until it says so: 503 while the model is read."""
    while process.poll() is None:
        connection = http.client.HTTPConnection(_HOST, port, timeout=60)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        except (ConnectionError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(0.05)
    log.seek(0)
    raise NoLlamaCpp(f"llama.cpp ended: {log.read().decode(errors='replace')[-2000:]}")
