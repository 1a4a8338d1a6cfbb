"""Runs the real server with a model whose answer depends on the line before the cursor.

python vscode-client/tests/e2e/scripted_model.py [--tcp HOST:PORT]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from fim_lsp import logs
from fim_lsp.lsp import tcp
from fim_lsp.lsp.stdio import leave, serve_stdio
from fim_lsp.model_host.host import ModelHost
from fim_lsp.settings import Settings
from model_runtime.engines.protocol import SamplingParams, TokenStream
from model_runtime.engines.scripted import ScriptedEngine
from model_runtime.served_model import ServedModel
from tests.support.scripted_host import TOKENS, encoder, scripted_model

ANSWERS: dict[str, Sequence[str]] = {
    "def add(": ["a, b):\n    return a + b"],
    "total = ": ["price * quantity + tax"],
    "color = ": ['"red"', '"green"', '"blue"'],
    "mood = '😀": [" é 𝛑'"],
    "\nquantity": [" = 250"],
}
"""Answers by the end of the text before the cursor; an explicit request gets all of a row."""


class Script(ScriptedEngine):
    """An engine that gives each sampled candidate its own answer."""

    name = "scripted"

    def __init__(self) -> None:
        super().__init__([TOKENS.end])

    def generate(
        self, prompt: Sequence[int], sampling: SamplingParams, *args: object, **kwargs: object
    ) -> TokenStream:
        """Generates the answer for the prompt; nothing for a line that is not in the table."""
        tokenizer = encoder().tokenizer
        before = tokenizer.decode(list(prompt)).removesuffix("<|MID|>")
        answers = next((ANSWERS[key] for key in ANSWERS if before.endswith(key)), [""])
        number = 0 if sampling.temperature == 0 else sampling.seed + 1
        text = answers[number % len(answers)]
        self._script = lambda _: [*tokenizer.encode(text), TOKENS.end]
        return super().generate(prompt, sampling, *args, **kwargs)


def load(settings: Settings) -> ServedModel:
    """Returns the scripted model, whichever one the settings name."""
    return replace(scripted_model(""), engine=Script())


def main() -> None:
    """Serves until the client disconnects."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tcp", metavar="HOST:PORT")
    args = parser.parse_args()
    logs.configure("info")
    if args.tcp is None:
        leave(serve_stdio(lambda: ModelHost(load)))
    host, _, port = args.tcp.rpartition(":")
    leave(tcp.serve_tcp(host, int(port), lambda: ModelHost(load)))


if __name__ == "__main__":
    main()
