"""The real server with a scripted engine in place of a model; it answers `alpha + beta`.

    python tests/protocol/engine_server.py [--break-after N] [--break-always] [--prepare FILE]

A prompt with the word "slow" in it takes ten minutes to read, unless it is stopped.  With
--break-after the engine fails at that token, as on a GPU that vanishes; the one that is loaded for
the processor does not, but with --break-always.  With --prepare a form of the model is made first,
which stands at 42 percent until the file is there.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from functools import partial
from pathlib import Path

from fim_lsp.lsp.stdio import leave, serve_stdio
from fim_lsp.model_host.host import ModelHost
from fim_lsp.settings import Settings
from model_runtime import progress
from model_runtime.errors import EngineError
from model_runtime.served_model import ServedModel
from tests.support.scripted_host import scripted_model


def load(args: argparse.Namespace, settings: Settings) -> ServedModel:
    if args.prepare is not None:
        with progress.step("preparing scripted for tests, once"):
            while not args.prepare.exists():
                progress.advance(0.42)
                time.sleep(0.01)
    on_gpu = settings.device != "cpu"
    breaks = args.break_always or (on_gpu and args.break_after is not None)

    def answer(prompt: str) -> str:
        model.engine.prefill_seconds = 600 if "slow" in prompt else 0
        return "alpha + beta"

    model = scripted_model(
        answer,
        fail=EngineError("the GPU is gone") if breaks else None,
        fail_after=args.break_after or 0,
    )
    model.engine.name = "torch" if on_gpu else "onnx"
    return model


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--break-after", type=int)
    parser.add_argument("--break-always", action="store_true")
    parser.add_argument("--prepare", type=Path)
    args = parser.parse_args()
    logging.basicConfig(
        level="INFO", stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    return leave(serve_stdio(lambda: ModelHost(partial(load, args))))


if __name__ == "__main__":
    sys.exit(main())
