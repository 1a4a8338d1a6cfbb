"""The part of the cursor's line that is typed, where the hole begins at the start of the line.

Its first ids, which more typing will hardly change, stand behind the prompt; decoding must agree
with the rest (`forced_text`).
"""

from __future__ import annotations

from model_runtime.prompt.tokenizer import FimTokenizer
from model_runtime.prompt.window import round_up

MAX_TYPED_TOKENS = 96
"""Ids that a prompt leaves free for what is typed on the line; a small one leaves a quarter."""
_TYPED_CHARACTERS_PER_TOKEN = 8 / 3
"""So many are taken of a long line, 256 for 96 ids; code has 65 to 85 ids in 256 characters.  Of a
longer line the hole begins inside, at a place that moves on in steps of half as many."""
_HEALED_TOKENS = 4
"""Last ids of the typed text that decoding spells anew.  The tokenizer ends them at the cursor; the
model has learned the ids of whole lines, which differ from them at the end alone.
"""


def split_line(prefix: str, typed_tokens: int) -> tuple[str, str]:
    r"""Returns the text before the hole, and that between the hole's start and the cursor.

    Args:
        prefix: text before the cursor.
        typed_tokens: ids that there is room for.

    >>> split_line("a = 1\nb = ", 96)
    ('a = 1\n', 'b = ')
    """
    start = prefix.rfind("\n") + 1
    most = int(typed_tokens * _TYPED_CHARACTERS_PER_TOKEN)
    surplus = len(prefix) - start - most
    if surplus > 0:
        start += round_up(surplus, max(1, most // 2))
    return prefix[:start], prefix[start:]


def settled(tokenizer: FimTokenizer, typed: str, most_tokens: int) -> tuple[list[int], str]:
    """Returns the ids of typed text that more text will hardly change, and the text behind them.

    Args:
        tokenizer: spells the text.
        typed: from the hole's start to the cursor.
        most_tokens: at most so many ids are returned.
    """
    ids, as_bytes = tokenizer.encode(typed), tokenizer.forced(typed).text
    texts = tokenizer.token_texts.texts
    for count in range(min(len(ids) - _HEALED_TOKENS, most_tokens), 0, -1):
        size = sum(len(texts[id_]) for id_ in ids[:count])
        try:  # an id may end inside a character
            return ids[:count], as_bytes[size:].decode()
        except UnicodeError:
            continue
    return [], as_bytes.decode()
