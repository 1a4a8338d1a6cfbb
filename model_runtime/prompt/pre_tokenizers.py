r"""Patterns that split text into pieces before byte-level BPE merges it, under llama.cpp's names.

A GGUF file does not carry the pattern of its tokenizer; `tokenizer.ggml.pre` names one of those
which are compiled into llama.cpp (its src/llama-vocab.cpp).  Each pattern of a name splits the
pieces that the one before it left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenizers.pre_tokenizers import PreTokenizer

_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"
_SYMBOLS = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"

PATTERNS = {
    "gpt-2": (_GPT2,),
    "starcoder": (r"\p{N}", _GPT2),
    "llama-bpe": (rf"{_CONTRACTIONS}|\p{{N}}{{1,3}}|{_SYMBOLS}",),
    "qwen2": (rf"{_CONTRACTIONS}|\p{{N}}|{_SYMBOLS}",),
    "superbpe": (r"\p{N}+", r"(?=(\d{3})+(?!\d))"),
    "deepseek-coder": (r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-퟿]+", r"\p{N}"),
    "seed-coder": (
        rf"{_CONTRACTIONS}|\p{{N}}| ?[^\s\p{{L}}\p{{N}}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+",
    ),
}
"""llama.cpp's name -> patterns.  "superbpe" parts nothing but numbers and leaves the rest to the
merges."""

_SAME = {
    "gpt2": "gpt-2",
    "mellum": "gpt-2",
    "olmo": "gpt-2",
    "refact": "starcoder",
    "command-r": "starcoder",
    "smollm": "starcoder",
    "codeshell": "starcoder",
    "mellum2": "starcoder",
    "llama3": "llama-bpe",
    "llama-v3": "llama-bpe",
    "falcon3": "llama-bpe",
    "stablelm2": "qwen2",
}
"""Further names of the same patterns."""


def patterns_of(name: str) -> tuple[str, ...] | None:
    """Returns the patterns that llama.cpp's name stands for, or None if it is not known here."""
    return PATTERNS.get(_SAME.get(name, name))


def pre_tokenizer(patterns: tuple[str, ...]) -> PreTokenizer:
    """Builds the step that splits by each pattern in turn and then writes bytes as characters."""
    from tokenizers import Regex, pre_tokenizers

    steps: list[Any] = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in patterns]
    steps.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False))
    return pre_tokenizers.Sequence(steps)
