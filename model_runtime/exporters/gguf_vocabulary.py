"""A bundle's tokenizer in the terms of GGUF: token types, merges, and a pre-tokenizer by name.

A GGUF file does not carry the pattern that splits text before merging; it names one of those which
are compiled into llama.cpp (`tokenizer.ggml.pre`).  Which one splits as a tokenizer does is
measured here, on this package's own sources.  Ids are the same in any case: the name only matters
to who sends llama.cpp text in place of ids.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_runtime.errors import GgufError
from model_runtime.prompt.pre_tokenizers import PATTERNS, pre_tokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer


@dataclass(frozen=True, slots=True)
class GgufVocabulary:
    """The values of the keys `tokenizer.ggml.*`."""

    tokens: list[str]
    types: list[int]
    """Values of `gguf.TokenType`."""
    merges: list[str]
    pre_tokenizer: str
    agreement: float
    """Share of the ids of the sample that llama.cpp's pre-tokenizer gives as well."""


def gguf_vocabulary(path: Path, size: int) -> GgufVocabulary:
    """Reads a `tokenizer.json`; rows of the embedding without a token get an unused one.

    Args:
        path: of the file.
        size: rows of the embedding.

    Raises:
        GgufError: it is no byte-level BPE.
    """
    from gguf import TokenType

    raw = json.loads(path.read_text(encoding="utf-8"))
    if raw["model"].get("type") != "BPE" or "ByteLevel" not in json.dumps(raw["pre_tokenizer"]):
        raise GgufError(
            f"{path} is no byte-level BPE tokenizer, the only kind that can be exported"
        )
    tokens = [f"<|unused {id_}|>" for id_ in range(size)]
    types: list[int] = [TokenType.UNUSED] * size
    for token, id_ in raw["model"]["vocab"].items():
        tokens[id_], types[id_] = token, TokenType.NORMAL
    for added in raw["added_tokens"]:
        tokens[added["id"]] = added["content"]
        types[added["id"]] = TokenType.CONTROL if added["special"] else TokenType.USER_DEFINED
    pairs = (
        merge if isinstance(merge, str) else " ".join(merge) for merge in raw["model"]["merges"]
    )
    return GgufVocabulary(tokens, types, list(pairs), *_pre_tokenizer(raw))


def _pre_tokenizer(raw: dict[str, Any]) -> tuple[str, float]:
    """Returns the name whose patterns give the most ids of the sample, and their share."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(json.dumps({**raw, "normalizer": None}))
    own = _located_ids(tokenizer)
    shares = {}
    for name, patterns in PATTERNS.items():
        tokenizer.pre_tokenizer = pre_tokenizer(patterns)
        shares[name] = len(own & _located_ids(tokenizer)) / len(own)
        if shares[name] == 1:
            break
    best = max(shares, key=lambda name: shares[name])  # of equals the first
    return best, shares[best]


def _located_ids(tokenizer: Tokenizer) -> set[tuple[int, int, int]]:
    encoding = tokenizer.encode(_sample(), add_special_tokens=False)
    return {(*span, id_) for span, id_ in zip(encoding.offsets, encoding.ids, strict=True)}


@cache
def _sample() -> str:
    """Returns code, numbers and other scripts: modules beside this one, and some more."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    texts = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    return texts[:_SAMPLE] + _MORE


_SAMPLE = 80_000
"""Characters; enough for a share to a tenth of a percent."""
_MORE = "\n\n\nx = 1234567 + 0xFF\r\n\tname_2 = 'straße'   # 数字 १२३ it's\n\n    \n  end"
