"""Reads the prompts of raw APIs: a text, ids of the model's tokens, or a mix of the two."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from fim_lsp.http.errors import ApiError
from fim_lsp.http.fields import Fields
from fim_lsp.http.templated_prompt import PromptParts, taken_apart
from fim_lsp.http.tokens import decoded
from model_runtime.served_model import ServedModel


def prompt_text(fields: Fields, model: ServedModel, default: str | None = None) -> str:
    """Returns the field `prompt` as a text; ids of sentinels become the sentinels' texts.

    Raises:
        ApiError: it is none of the forms, or holds several prompts.
    """
    value = fields.raw("prompt")
    if not isinstance(value, list):
        return fields.text("prompt", default)
    if len(value) == 1 and isinstance(value[0], list):
        value = value[0]
    if len(value) == 1 and isinstance(value[0], str):
        return Fields({"prompt": value[0]}).text("prompt")
    if len(value) > 1 and all(isinstance(one, str | list) for one in value):
        raise ApiError(400, "`prompt` has several prompts; send one request for each")
    return "".join(_texts(value, model))


def parts_of_prompt(prompt: str, suffix: str | None) -> PromptParts:
    """Returns the parts of a prompt; with a suffix beside it, it is the text before the cursor.

    Raises:
        ApiError: its sentinels stand in no known order.
    """
    return taken_apart(prompt) if suffix is None else PromptParts(prompt, suffix)


def _texts(value: list[Any], model: ServedModel) -> Iterator[str]:
    """Yields the texts of a mix of ids and texts."""
    for is_text, run in groupby(value, lambda one: isinstance(one, str)):
        if is_text:
            yield from (Fields({"prompt": one}).text("prompt") for one in run)
        else:
            yield decoded(list(run), model, "prompt")
