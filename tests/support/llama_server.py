"""llama.cpp's server in a process that a test may kill, with any number of slots."""

from __future__ import annotations

import os
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
            *FLOAT32_CACHE,
        ]
        environment = {**os.environ, **program.environment}
        super().__init__(command, port, environment, _PATIENCE_SECONDS)

    def running(self) -> int:
        """Implements `ModelServer.running`."""
        return sum(slot["is_processing"] for slot in self.get_json("/slots"))

    def written(self) -> int:
        """Tokens of the last answer of each slot, added up."""
        return sum(_decoded(slot) for slot in self.get_json("/slots"))


def _decoded(slot: dict) -> int:
    told = slot.get("next_token", {})
    (token,) = told if isinstance(told, list) else (told,)
    return int(token.get("n_decoded", 0))
