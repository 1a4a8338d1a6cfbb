"""llama.cpp's server in a process that a test may kill, with any number of slots."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tests.support.llama_cpp import FLOAT32_CACHE, Program
from tests.support.server_process import ServerProcess
from tests.support.wire import free_port

_PATIENCE_SECONDS = 60.0


class LlamaServer(ServerProcess):
    """One server with one model.

    The keys and values that it keeps are float32, so that it decodes what our engines decode.
    """

    def __init__(
        self, gguf: Path, *, context: int, slots: int = 2, port: int | None = None
    ) -> None:
        """Starts nothing yet.

        Args:
            gguf: the model.
            context: of each slot, in tokens.
            slots: requests that it computes at once.
            port: one that is free now; None for any.

        Raises:
            NoLlamaCpp: there is none on this machine.
        """
        program, port = Program.find(), port or free_port()
        command = [
            *program.command,
            *("--model", str(gguf), "--alias", gguf.stem, "--host", "127.0.0.1"),
            *("--port", str(port), "--parallel", str(slots)),
            *("--threads", "1", "--threads-batch", "1", "--ctx-size", str(context * slots)),
            "--metrics",
            *FLOAT32_CACHE,
        ]
        environment = {**os.environ, **program.environment}
        super().__init__(command, port, environment, _PATIENCE_SECONDS)

    def running(self) -> int:
        """Implements `ModelServer.running`."""
        return sum(slot["is_processing"] for slot in self.get_json("/slots"))

    def written(self) -> int:
        """Passes of the model so far; each writes at most one token of an answer."""
        told = self.get("/metrics").decode()
        (passes,) = re.findall(r"^llamacpp:n_decode_total (\d+)$", told, re.M)
        return int(passes)
