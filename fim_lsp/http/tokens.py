"""Turns text into ids and back, for clients of llama.cpp's `/tokenize` and `/detokenize`."""

from __future__ import annotations

import re
from typing import Any

from fim_lsp.http.errors import wrong_type
from fim_lsp.http.fields import Fields
from model_runtime.served_model import ServedModel


def tokenized(fields: Fields, model: ServedModel) -> dict[str, Any]:
    """Returns the answer of `/tokenize`.

    Raises:
        ApiError: a field is wrong.
    """
    text, format_ = fields.text("content"), model.encoder.format
    special = sorted(format_.special_ids) if fields.flag("parse_special", True) else []
    ids = _encoded(text, model, {model.tokenizer.token_of(id_): id_ for id_ in special})
    if fields.flag("add_special") and format_.bos is not None:
        ids = [format_.bos, *ids]
    if not fields.flag("with_pieces"):
        return {"tokens": ids}
    return {"tokens": [{"id": id_, "piece": model.tokenizer.decode([id_])} for id_ in ids]}


def detokenized(fields: Fields, model: ServedModel) -> dict[str, Any]:
    """Returns the answer of `/detokenize`.

    Raises:
        ApiError: a field is wrong.
    """
    value = fields.raw("tokens")
    if not isinstance(value, list):
        raise wrong_type("tokens", "a list of ids of tokens", value)
    return {"content": decoded(value, model, "tokens")}


def decoded(ids: list[Any], model: ServedModel, name: str) -> str:
    """Returns the text of ids, those of sentinels included.

    Args:
        ids: values of a body.
        model: has the tokenizer.
        name: field that they stand in.

    Raises:
        ApiError: one of them is no id of a token.
    """
    for id_ in ids:
        if isinstance(id_, bool) or not isinstance(id_, int) or not model.tokenizer.token_of(id_):
            raise wrong_type(name, "a list of ids of tokens", id_)
    return model.tokenizer.decode(ids)


def _encoded(text: str, model: ServedModel, special: dict[str, int]) -> list[int]:
    if not special:
        return model.tokenizer.encode(text)
    ids: list[int] = []
    for piece in re.split("(" + "|".join(map(re.escape, special)) + ")", text):
        ids += [special[piece]] if piece in special else model.tokenizer.encode(piece)
    return ids
