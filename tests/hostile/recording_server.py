"""The real server with a scripted engine that writes each prompt it reads into a file.

python tests/hostile/recording_server.py PROMPTS [--log-level LEVEL]
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from fim_lsp.lsp.stdio import leave, serve_stdio
from fim_lsp.model_host.host import ModelHost
from tests.support.scripted_host import scripted_model


def main() -> int:
    with Path(sys.argv[1]).open("a", encoding="utf-8") as prompts:

        def answer(prompt: str) -> str:
            prompts.write(prompt + "\n\0\n")
            prompts.flush()
            return "alpha + beta"

        logging.basicConfig(level="INFO", stream=sys.stderr)
        model = scripted_model(answer)
        return leave(serve_stdio(lambda: ModelHost(lambda _: model)))


if __name__ == "__main__":
    sys.exit(main())
