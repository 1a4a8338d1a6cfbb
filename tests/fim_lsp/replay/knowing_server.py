"""The real server on stdio, with a model that has read the file that is being typed.

    python -m tests.fim_lsp.replay.knowing_server FILE [--wrong]

It suggests the rest of the cursor's line; with --wrong, a line that is not there.
"""

import sys
from pathlib import Path

from fim_lsp.lsp.stdio import leave, serve_stdio
from fim_lsp.model_host.host import ModelHost
from tests.support.scripted_host import scripted_model


def main(path: str, *options: str) -> None:
    text = Path(path).read_text(encoding="utf-8")

    def answer(prompt: str) -> str:
        if "--wrong" in options:
            return "this_is_not_there()"
        typed = max(length for length in range(len(text) + 1) if text[:length] in prompt)
        return text[typed:].partition("\n")[0]

    leave(serve_stdio(lambda: ModelHost(lambda settings: scripted_model(answer, logprob=-0.01))))


if __name__ == "__main__":
    main(*sys.argv[1:])
