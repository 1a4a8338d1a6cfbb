"""The names that GGUF has for types of matrices and the sentinels of fill-in-the-middle."""

from __future__ import annotations

from model_runtime.prompt.format import FimTokens

TYPES = ("f32", "f16", "q8_0", "q4_0")
"""Types of a file's matrices; vectors are f32 always."""

FIM_NAMES = {
    "prefix": "fim_pre",
    "suffix": "fim_suf",
    "middle": "fim_mid",
    "pad": "fim_pad",
    "file": "fim_sep",
}
"""Role -> GGUF's name of it: `tokenizer.ggml.fim_pre_token_id` and so on (ggml's docs/gguf.md)."""


def fim_token_ids(tokens: FimTokens) -> dict[str, int]:
    """Returns `fim_pre_token_id` and so on -> id, for each sentinel that the model has.

    >>> fim_token_ids(FimTokens(end=0, suffix=1, prefix=2, middle=3))
    {'fim_pre_token_id': 2, 'fim_suf_token_id': 1, 'fim_mid_token_id': 3}
    """
    return {
        f"{name}_token_id": id_
        for role, name in FIM_NAMES.items()
        if (id_ := getattr(tokens, role)) is not None
    }
