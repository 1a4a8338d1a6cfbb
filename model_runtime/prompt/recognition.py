"""Tells by a model's tokenizer and config which published formats it may have been trained on.

Nothing is known of names.  That a tokenizer owns the tokens of a format is no proof that the model
was trained on them: that is measured (`store.fim_probe`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model_runtime.prompt.format import PromptFormat
from model_runtime.prompt.published import MODEL_TYPES, PUBLISHED, published_format
from model_runtime.prompt.template import Slot
from model_runtime.prompt.tokenizer import FimTokenizer


def recognized_formats(tokenizer: FimTokenizer, config: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the names of the published formats that fit, several where several do.

    Of formats that differ in nothing but other files' text the one is taken of which the tokenizer
    has the most tokens.

    Args:
        tokenizer: of the model.
        config: the settings of its config.json.
    """
    fitting: dict[str, PromptFormat] = {}
    for name in PUBLISHED:
        if name in MODEL_TYPES and config.get("model_type") not in MODEL_TYPES[name]:
            continue
        try:
            fitting[name] = published_format(name, tokenizer.id_of)
        except ValueError:  # a token is missing
            continue
    return tuple(
        name
        for name, form in fitting.items()
        if not any(_is_richer(other, form) for other in fitting.values())
    )


def _is_richer(form: PromptFormat, than: PromptFormat) -> bool:
    """Tells whether two formats ask alike for a lone file, and the first names more tokens."""
    return _alone(form) == _alone(than) and form.special_ids > than.special_ids


def _alone(form: PromptFormat) -> tuple[object, ...]:
    elsewhere = (Slot.CONTEXT, Slot.OWN_FILE)
    return form.bos, tuple(piece for piece in form.template if piece not in elsewhere)
