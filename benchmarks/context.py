"""A Python document of a given number of tokens, and a cursor in it: the same text for every
benchmark.
"""

from __future__ import annotations

from pathlib import Path

from model_runtime.prompt.tokenizer import FimTokenizer

SOURCE = Path(__file__).parents[1] / "model_runtime" / "prompt" / "encoder.py"
"""A file of some 2,000 tokens."""


def prefix_of(tokens: int, tokenizer: FimTokenizer) -> str:
    """Returns the start of a real file, at least `tokens` long, ending inside a function's first
    line.
    """
    text = SOURCE.read_text(encoding="utf-8")
    ids, offsets = tokenizer.encode_with_offsets(text)
    end = offsets[min(tokens, len(ids) - 1)]
    return text[: text.index("\n", end) + 1] + "def first_line(text: str) -> str:\n    "
