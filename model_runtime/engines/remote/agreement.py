"""Holds what a server writes to a forced text, though no server lets its logits be masked.

Up to its last word a text is spelled as the tokenizer does, and the server only reads that.  From
there its own answer is taken for as long as it agrees.  At the first id that does not, the
likeliest of the alternatives that do stands in its place, and the server is asked again from there;
where none is told, the tokenizer's own spelling of the rest.  What was read before is in the
server's cache, so that asking again costs a round trip and one id.

This differs from a masked decoder where the likeliest agreeing id is not among those that a server
tells, and in that one spelling is followed and not two (`model_runtime.engines.spelling`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from model_runtime.engines.protocol import GeneratedToken
from model_runtime.engines.remote.answer import ToldToken
from model_runtime.prompt.forced_text import ForcedText


def settled(forced: ForcedText) -> list[int]:
    """Returns the ids by which the tokenizer spells a text up to its last word.

    What is typed next mostly makes other tokens of the last word alone, or of the space at the end.
    """
    texts, found = forced.token_texts.texts, forced.likely()
    if b"".join(texts[id_] for id_ in found) != forced.text[forced.spelled :]:
        return []  # the rest begins inside a character
    begun = [at for at, id_ in enumerate(found) if not _is_inside_a_word(texts[id_])]
    return found[: begun[-1]] if begun else []


def _is_inside_a_word(text: bytes) -> bool:
    first = text[:1]
    return first.isalnum() or first == b"_" or first > b"\x7f"


def agrees(forced: ForcedText, id_: int) -> bool:
    """Tells whether an id spells a part of what is left of a text, or all of it and more."""
    texts = forced.token_texts.texts
    text, rest = texts[id_] if id_ < len(texts) else b"", forced.text[forced.spelled :]
    if not text:
        return False
    if text.startswith(rest):
        return True
    return rest.startswith(text) and forced.can_go_on[forced.spelled + len(text)]


def held(forced: ForcedText, told: ToldToken) -> list[GeneratedToken]:
    """Returns a token that a server wrote, or what is to stand in its place where it must not.

    Args:
        forced: the text of which something is left.
        told: the token, and the likeliest others there.

    Returns:
        None at all where no id can spell the text.
    """
    if agrees(forced, told.token.id):
        return [_with_share(forced, told.token, told.alternatives)]
    found = list(_agreeing(forced, told.alternatives))
    if found:
        id_, logprob = max(found, key=lambda pair: pair[1])
        return [_with_share(forced, GeneratedToken(id_, logprob), told.alternatives)]
    likely, texts = forced.likely(), forced.token_texts.texts
    if b"".join(texts[id_] for id_ in likely) != forced.text[forced.spelled :]:
        likely = _longest(forced)  # the rest begins inside a character
    return [GeneratedToken(id_, 0.0) for id_ in likely]


def _longest(forced: ForcedText) -> list[int]:
    """Returns the id that spells the rest of a text, or most of it; none where no id does."""
    texts, rest = forced.token_texts.texts, forced.text[forced.spelled :]
    whole = [id_ for id_ in forced.finishing() if texts[id_] == rest]
    return whole[:1] or forced.continuing()[-1:]


def _with_share(
    forced: ForcedText, token: GeneratedToken, alternatives: Mapping[int, float]
) -> GeneratedToken:
    """Returns a token that agrees, with its share among those that do.

    One that spells a part says nothing that is not known, so it has the probability 1.
    """
    if not forced.after(token.id).is_beyond:
        return GeneratedToken(token.id, 0.0)
    others = (logprob for id_, logprob in _agreeing(forced, alternatives) if id_ != token.id)
    total = math.exp(token.logprob) + sum(map(math.exp, others))
    share = token.logprob - math.log(total) if total > 0 else 0.0
    return GeneratedToken(token.id, min(0.0, share))


def _agreeing(forced: ForcedText, alternatives: Mapping[int, float]) -> Iterator[tuple[int, float]]:
    return (pair for pair in alternatives.items() if agrees(forced, pair[0]))
