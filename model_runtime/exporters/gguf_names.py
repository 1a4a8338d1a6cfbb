"""The names that GGUF has for types of matrices and the sentinels of fill-in-the-middle."""

from __future__ import annotations

from collections.abc import Mapping

TYPES = ("f32", "f16", "q8_0", "q4_0")
"""Types of a file's matrices; vectors are f32 always."""

FIM_NAMES = {
    "prefix": "fim_pre",
    "suffix": "fim_suf",
    "middle": "fim_mid",
    "pad": "fim_pad",
    "file": "fim_sep",
    "repo": "fim_rep",
}
"""Role -> GGUF's name of it: `tokenizer.ggml.fim_pre_token_id` and so on (ggml's docs/gguf.md)."""


def fim_token_ids(ids: Mapping[str, int]) -> dict[str, int]:
    """Returns `fim_pre_token_id` and so on -> id, of each sentinel in a mapping of role to id.

    >>> fim_token_ids({"end": 0, "suffix": 1, "prefix": 2, "middle": 3})
    {'fim_pre_token_id': 2, 'fim_suf_token_id': 1, 'fim_mid_token_id': 3}
    """
    return {f"{name}_token_id": ids[role] for role, name in FIM_NAMES.items() if role in ids}
