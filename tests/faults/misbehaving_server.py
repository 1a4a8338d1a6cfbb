"""The real server, with an engine that does one thing wrong after some answers.

python tests/faults/misbehaving_server.py FAULT [--after N] [--give-up SECONDS]

hangs       never returns, and looks at no request to stop, until the file named by $GO_ON is there
raises      RuntimeError, as a bug does
memory      MemoryError
interrupts  KeyboardInterrupt, as a library does that takes signals for itself
nan         log-probabilities that are no numbers
ids         ids outside the vocabulary
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import sys
import time
from pathlib import Path

from fim_lsp.lsp.stdio import leave, serve_stdio
from fim_lsp.model_host.hang_watch import HangBounds
from fim_lsp.model_host.host import ModelHost
from fim_lsp.settings import Settings
from model_runtime.served_model import ServedModel
from tests.support.scripted_host import TOKENS, scripted_model

FAULTS = ("hangs", "raises", "memory", "interrupts", "nan", "ids")
ANSWER = "alpha + beta"
HANGS = "the engine hangs"
"""Line of the log at the moment when it begins."""


def make(fault: str, after: int) -> ServedModel:
    """Returns a model whose engine works `after` times, and then does it."""
    answered = 0

    def answer(prompt: str) -> str:
        nonlocal answered
        answered += 1
        if answered > after:
            misbehave()
        return ANSWER

    def misbehave() -> None:
        if fault == "hangs":
            logging.info(HANGS)
            while not Path(os.environ["GO_ON"]).exists():
                time.sleep(0.01)
        elif fault == "raises":
            raise RuntimeError("a bug")
        elif fault == "memory":
            raise MemoryError
        elif fault == "interrupts":
            raise KeyboardInterrupt
        elif fault == "nan":
            model.engine._logprob = math.nan
        elif fault == "ids":
            model.engine._script = lambda _: [2**31, -1, 10**9, TOKENS.end]

    model = scripted_model(answer)
    model.engine.name = "torch"
    return model


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("fault", choices=FAULTS)
    parser.add_argument("--after", type=int, default=2)
    parser.add_argument("--give-up", type=float, default=HangBounds().seconds)
    args = parser.parse_args()
    logging.basicConfig(
        level="INFO", stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    made = iter([make(args.fault, args.after)])

    def load(settings: Settings) -> ServedModel:
        return next(made, None) or scripted_model(ANSWER)

    bounds = HangBounds(args.give_up, tick_seconds=0.05)
    return leave(serve_stdio(lambda: ModelHost(load, hang_bounds=bounds)))


if __name__ == "__main__":
    sys.exit(main())
