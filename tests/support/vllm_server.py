"""vLLM in a process, on the processor; `make test-remote` installs it.

The folder of its environment is in $FIM_LSP_VLLM.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from tests.support.server_process import ServerProcess
from tests.support.wire import free_port

_PATIENCE_SECONDS = 400.0
"""Seconds until it is ready; two processes import for a quarter of a minute, one after the other."""
NAME = "served"
"""Name that the model has there."""


class NoVllm(Exception):
    """There is no vLLM on this machine."""


class VllmServer(ServerProcess):
    """One server with one model, which computes in float32."""

    def __init__(self, folder: Path, *, context: int, port: int | None = None) -> None:
        """Starts nothing yet.

        Args:
            folder: a Hugging Face folder.
            context: of a request, in tokens.
            port: one that is free now; None for any.

        Raises:
            NoVllm: there is none here.
        """
        installed = os.environ.get("FIM_LSP_VLLM", "")
        if not installed:
            raise NoVllm("there is no vLLM here; run `make test-remote`, which installs it")
        port = port or free_port()
        command = [
            str(Path(installed) / "bin" / "python"),
            *("-m", "vllm.entrypoints.openai.api_server"),
            *("--model", str(folder), "--served-model-name", NAME),
            *("--host", "127.0.0.1", "--port", str(port), "--dtype", "float32"),
            *("--max-model-len", str(context), "--max-num-seqs", "4", "--block-size", "32"),
            # Nothing is compiled, and the engine needs no second process for its only worker.
            *("--enforce-eager", "--distributed-executor-backend", "uni"),
            "--enable-prompt-tokens-details",
        ]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(Path.home()),
            "VLLM_CACHE_ROOT": str(Path(installed) / "cache"),  # what it finds out of models once
            "VLLM_CPU_KVCACHE_SPACE": "1",  # GB
            "VLLM_CPU_OMP_THREADS_BIND": "nobind",
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
            "VLLM_NO_USAGE_STATS": "1",
        }
        super().__init__(command, port, environment, _PATIENCE_SECONDS)

    def running(self) -> int:
        """Implements `ModelServer.running`."""
        return self._count("num_requests_running") + self._count("num_requests_waiting")

    def written(self) -> int:
        """Tokens that all requests so far were given, added up."""
        return self._count("generation_tokens_total")

    def cached(self) -> tuple[int, int]:
        """Returns the ids of prompts that were known already, and all that were asked for."""
        hits, queries = "prefix_cache_hits_total", "prefix_cache_queries_total"
        return self._count(hits), self._count(queries)

    def _count(self, name: str) -> int:
        told = self.get("/metrics").decode()
        return sum(
            int(float(value)) for value in re.findall(rf"^vllm:{name}{{.*}} (\S+)$", told, re.M)
        )
