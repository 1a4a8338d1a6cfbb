"""Rebuilds a tokenizer from the keys `tokenizer.ggml.*` of a GGUF file.

Two kinds of byte-pair encoding are read: byte-level ones ("gpt2"), whose file has the merges and
the name of a pattern, and SentencePiece's ("llama"), whose merges follow from the scores of the
pieces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from model_runtime.errors import GgufError, shown
from model_runtime.prompt.pre_tokenizers import PATTERNS, patterns_of, pre_tokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_KEY = "tokenizer.ggml."
_SPACE = "\u2581"
"""SentencePiece writes a space with this character."""


def tokenizer_from_gguf(metadata: Mapping[str, Any]) -> Tokenizer:
    """Builds the tokenizer that the keys of a GGUF file describe.

    Args:
        metadata: key -> value of the file.

    Returns:
        A tokenizer that adds nothing around a text.

    Raises:
        GgufError: keys are missing or contradict each other, or the kind is another one.
    """
    kind = metadata.get(_KEY + "model")
    tokens, types = _tokens_and_types(metadata)
    if kind == "gpt2":
        tokenizer = _byte_level(metadata, tokens, types)
    elif kind == "llama":
        tokenizer = _sentencepiece(metadata, tokens, types)
    else:
        raise GgufError(
            f"its tokenizer is of the kind {shown(kind)}, and those that can be read are gpt2 and "
            "llama; serve the model by llama-server instead"
        )
    _add_special_tokens(tokenizer, tokens, types)
    return tokenizer


def _tokens_and_types(metadata: Mapping[str, Any]) -> tuple[list[str], list[int]]:
    tokens = metadata.get(_KEY + "tokens")
    types = metadata.get(_KEY + "token_type")
    if not isinstance(tokens, list) or not tokens:
        raise GgufError("it has no tokenizer (tokenizer.ggml.tokens); get another file")
    if not isinstance(types, list) or len(types) != len(tokens):
        raise GgufError("its tokens have no types (tokenizer.ggml.token_type); get another file")
    if len(set(tokens)) != len(tokens):
        raise GgufError("two of its tokens have the same text; get another file")
    return tokens, types


def _byte_level(metadata: Mapping[str, Any], tokens: list[str], types: list[int]) -> Tokenizer:
    from tokenizers import Tokenizer, decoders, models

    name = str(metadata.get(_KEY + "pre", "gpt-2"))
    patterns = patterns_of(name)
    if patterns is None:
        raise GgufError(
            f"its tokenizer splits text in the way {shown(name)}, which is not known here; known "
            f"are {', '.join(PATTERNS)}"
        )
    merges = metadata.get(_KEY + "merges")
    if not isinstance(merges, list):
        raise GgufError("its tokenizer has no merges (tokenizer.ggml.merges); get another file")
    pairs = [tuple(merge.split(" ", 1)) for merge in merges]
    vocabulary = _vocabulary(tokens, types)
    if any(len(pair) != 2 or "".join(pair) not in vocabulary for pair in pairs):
        raise GgufError("its tokenizer's merges do not belong to its tokens; get another file")
    ignores_merges = patterns == PATTERNS["llama-bpe"]  # as Llama 3's own tokenizer.json says
    model = models.BPE(vocab=vocabulary, merges=pairs, ignore_merges=ignores_merges)
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizer(patterns)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _sentencepiece(metadata: Mapping[str, Any], tokens: list[str], types: list[int]) -> Tokenizer:
    from gguf import TokenType
    from tokenizers import Tokenizer, decoders, models, normalizers

    scores = metadata.get(_KEY + "scores")
    if not isinstance(scores, list) or len(scores) != len(tokens):
        raise GgufError("its tokens have no scores (tokenizer.ggml.scores); get another file")
    vocabulary = _vocabulary(tokens, types)
    unknown = tokens[types.index(TokenType.UNKNOWN)] if TokenType.UNKNOWN in types else None
    model = models.BPE(
        vocab=vocabulary,
        merges=_merges(vocabulary, scores),
        unk_token=unknown,
        fuse_unk=True,
        byte_fallback=TokenType.BYTE in types,
    )
    tokenizer = Tokenizer(model)
    steps: list[Any] = [normalizers.Replace(" ", _SPACE)]
    undo: list[Any] = [decoders.Replace(_SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    if metadata.get(_KEY + "add_space_prefix", True):
        steps.insert(0, normalizers.Prepend(_SPACE))
        undo.append(decoders.Strip(" ", 1, 0))
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.decoder = decoders.Sequence(undo)
    return tokenizer


def _vocabulary(tokens: Sequence[str], types: Sequence[int]) -> dict[str, int]:
    """Returns token -> id, less the rows of the embedding that stand for nothing."""
    from gguf import TokenType

    return {
        token: id_
        for id_, (token, kind) in enumerate(zip(tokens, types, strict=True))
        if kind != TokenType.UNUSED
    }


def _merges(vocabulary: Mapping[str, int], scores: Sequence[float]) -> list[tuple[str, str]]:
    """Returns the merges of SentencePiece's pieces, the best score first.

    SentencePiece always joins the two neighbors whose piece scores best, so that every way to part
    a piece into two pieces is a merge of that piece's rank.
    """
    found = []
    for piece, id_ in vocabulary.items():
        for cut in range(1, len(piece)):
            left, right = vocabulary.get(piece[:cut]), vocabulary.get(piece[cut:])
            if left is not None and right is not None:
                found.append((-scores[id_], id_, left, right, piece[:cut], piece[cut:]))
    return [(left, right) for *_, left, right in sorted(found)]


def _add_special_tokens(tokenizer: Tokenizer, tokens: list[str], types: list[int]) -> None:
    from gguf import TokenType
    from tokenizers import AddedToken

    for special, kind in ((True, TokenType.CONTROL), (False, TokenType.USER_DEFINED)):
        added = [
            AddedToken(token, special=special, normalized=False)
            for token, its_kind in zip(tokens, types, strict=True)
            if its_kind == kind
        ]
        (tokenizer.add_special_tokens if special else tokenizer.add_tokens)(added)
