"""Names the special tokens of the models that are trained here; their ids are the first ones."""

from __future__ import annotations

from model_runtime.errors import ModelRuntimeError
from model_runtime.prompt.orders import FimTokens
from model_runtime.prompt.tokenizer import FimTokenizer

NAMES = {
    "end": "<|endoftext|>",
    "suffix": "<|SUF|>",
    "prefix": "<|PRE|>",
    "middle": "<|MID|>",
    "pad": "<|pad|>",
    "file": "<|file|>",
}
"""String of each role, in the order of their ids."""
OPTIONAL = ("pad", "file")
"""Roles that other tokenizers may lack, such as the reference model's."""
RESERVED = ("<|reserved0|>", "<|reserved1|>")


def tokens_of(tokenizer: FimTokenizer) -> FimTokens:
    """Returns the ids of the roles in a tokenizer, looked up by string.

    Raises:
        ModelRuntimeError: a role that every model needs has no token.
    """
    ids = {role: tokenizer.id_of(name) for role, name in NAMES.items()}
    absent = [role for role, id_ in ids.items() if id_ is None]
    if missing := [NAMES[role] for role in absent if role not in OPTIONAL]:
        raise ModelRuntimeError(
            f"the tokenizer has no {', '.join(missing)}; train one with this pipeline"
        )
    tokens = FimTokens(**{role: id_ for role, id_ in ids.items() if id_ is not None})
    tokenizer.check_special_ids(tokens.all())
    return tokens
