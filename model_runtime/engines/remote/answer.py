"""Turns the pieces of a server's answer into tokens.

Where a server tells ids, they are those.  Where it tells text alone, or where its ids do not spell
its text, the tokenizer at hand spells the text; the first of the ids has the probability of the
whole piece, and the others say nothing that is not known then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from model_runtime.engines.protocol import GeneratedToken
from model_runtime.engines.remote import refusals
from model_runtime.engines.remote.dialect import Piece
from model_runtime.engines.remote.known_model import KnownModel


class ToldToken(NamedTuple):
    """A token of an answer, and what else could have stood in its place."""

    token: GeneratedToken
    alternatives: Mapping[int, float]
    """Log-probabilities of the likeliest ids at its place; empty where they are not told."""


def tokens_of(piece: Piece, model: KnownModel, place: str) -> Iterator[ToldToken]:
    """Yields the tokens of one piece.

    Args:
        piece: as the server told it.
        model: the model at hand.
        place: the server in words.

    Raises:
        ServerProblem: it has ids that the model at hand does not have.
    """
    if unknown := [id_ for id_ in piece.ids if id_ >= model.vocab]:
        raise refusals.unreadable(
            place, f"the id {unknown[0]}, and {model.name} has {model.vocab} ids"
        )
    for number, (id_, logprob) in enumerate(_spelled(piece, model)):
        is_told = piece.ids[number : number + 1] == (id_,) and number < len(piece.alternatives)
        alternatives = piece.alternatives[number] if is_told else {}
        yield ToldToken(GeneratedToken(id_, logprob), alternatives)


def _spelled(piece: Piece, model: KnownModel) -> Iterator[tuple[int, float]]:
    logprobs = piece.logprobs
    if piece.ids and _is_complete(piece, model):
        for number, id_ in enumerate(piece.ids):
            yield id_, logprobs[number] if number < len(logprobs) else 0.0
        return
    text, end = piece.text or "", None
    for special in model.stop_texts:  # some servers write sentinels out
        if (found := text.find(special)) >= 0:
            text, end = text[:found], special
    logprob = logprobs[0] if logprobs else 0.0
    for id_ in model.tokenizer.encode(text):
        yield id_, logprob
        logprob = 0.0
    if end is not None:
        yield next(id_ for id_, one in model.special_texts.items() if one == end), logprob


def _is_complete(piece: Piece, model: KnownModel) -> bool:
    """Tells whether the ids of a piece spell its text; those of special tokens spell none."""
    if piece.text is None:
        return True
    texts = model.tokenizer.token_texts.texts
    spelled = b"".join(texts[id_] if id_ < len(texts) else b"" for id_ in piece.ids)
    return spelled == piece.text.encode() or not spelled
