"""Ways of tokenizers to write text as tokens, and the switches that make them write it exactly.

    byte-level     one character for each byte, `Ġ` for a space        GPT-2, NeoX, Qwen, DeepSeek
    metaspace      characters, `▁` for a space, `<0x0A>` for a byte    SentencePiece: Llama, Gemma
    plain          tokens are text as it is

Three things that libraries do by themselves are switched off, because a part of a prompt is not a
whole text: normalizers that change what the user wrote, the space that is put before a text, and
its removal when ids are decoded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from enum import Enum
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenizers import Tokenizer

METASPACE = "▁"
"""Stands for a space in tokens of SentencePiece (U+2581)."""
METASPACE_AS_BYTES = tuple(f"<0x{byte:02X}>" for byte in METASPACE.encode())
"""Tokens by which the mark itself is written where it is part of a text."""

_BYTE_TOKEN = re.compile("<0x([0-9A-F]{2})>")
_TO_METASPACE = {"type": "Replace", "pattern": {"String": " "}, "content": METASPACE}
_FROM_METASPACE = {"type": "Replace", "pattern": {"String": METASPACE}, "content": " "}


def _byte_characters() -> dict[str, int]:
    """Returns the byte for each of the characters that byte-level BPE writes bytes with.

    Printable Latin-1 characters stand for themselves; the other bytes, in order, are written with
    the characters from U+0100 on (Radford et al. 2019, the code of GPT-2).
    """
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {
        chr(0x100 + number): byte for number, byte in enumerate(others)
    }


_BYTES = _byte_characters()


class Spelling(Enum):
    """Names a way to write text as tokens."""

    BYTE_LEVEL = "byte-level"
    METASPACE = "metaspace"
    PLAIN = "plain"

    def bytes_of(self, token: str) -> bytes:
        r"""Returns the UTF-8 bytes that a token stands for.

        >>> [Spelling.BYTE_LEVEL.bytes_of("Ġa"), Spelling.METASPACE.bytes_of("▁a")]
        [b' a', b' a']
        >>> Spelling.METASPACE.bytes_of("<0xC3>")
        b'\xc3'
        """
        if self is Spelling.BYTE_LEVEL:
            try:
                return bytes(map(_BYTES.__getitem__, token))
            except KeyError:  # added to the vocabulary as it is
                return token.encode()
        if self is Spelling.PLAIN:
            return token.encode()
        if byte := _BYTE_TOKEN.fullmatch(token):
            return bytes.fromhex(byte[1])
        return token.replace(METASPACE, " ").encode()


def write_exactly(tokenizer: Tokenizer) -> Spelling:
    """Sets a tokenizer's switches so that decoding what it encodes gives the text back.

    Returns:
        The way in which it writes text.
    """
    tokenizer.encode_special_tokens = True  # text that spells a sentinel stays text
    tokenizer.post_processor = None  # it would trim white space off the offsets
    tokenizer.no_truncation()
    tokenizer.no_padding()
    spelling = _spelling_of(tokenizer)
    # NFC (GPT-NeoX-20B) would change what the user wrote; text that is NFC already encodes the
    # same.  Only the steps that are a part of the spelling stay.
    kept = [step for step in _steps(tokenizer.normalizer) if _is_spelling(step)]
    tokenizer.normalizer = _made("normalizers", kept) if kept else None
    before = _steps(tokenizer.pre_tokenizer)
    if (without := _without_space(before)) != before:
        tokenizer.pre_tokenizer = _made("pre_tokenizers", without)
    if spelling is Spelling.METASPACE:
        steps = [step for step in _steps(tokenizer.decoder) if step["type"] != "Strip"]
        tokenizer.decoder = _made("decoders", _without_space(steps))
    return spelling


def _spelling_of(tokenizer: Tokenizer) -> Spelling:
    parts = (tokenizer.normalizer, tokenizer.pre_tokenizer, tokenizer.decoder)
    steps = [step for part in parts for step in _steps(part)]
    types = {step["type"] for step in steps}
    if "ByteLevel" in types:
        return Spelling.BYTE_LEVEL
    if "Metaspace" in types or _TO_METASPACE in steps or _FROM_METASPACE in steps:
        return Spelling.METASPACE
    return Spelling.PLAIN


def _is_spelling(step: dict[str, Any]) -> bool:
    return step["type"] == "ByteLevel" or step == _TO_METASPACE


def _state(component: Any) -> dict[str, Any]:
    """Returns a part of a tokenizer as tokenizer.json has it; empty for none."""
    return json.loads(component.__getstate__()) if component is not None else {}


def _steps(component: Any) -> list[dict[str, Any]]:
    """Returns the steps of a part of a tokenizer, those of sequences one by one."""
    return list(_flat(_state(component)))


def _flat(state: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if state.get("type") == "Sequence":
        for name, steps in state.items():
            for step in steps if name != "type" else ():
                yield from _flat(step)
    elif state:
        yield state


def _without_space(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the steps with those switched off that put a space before a text."""
    switches: dict[str, dict[str, Any]] = {
        "Metaspace": {"prepend_scheme": "never"},
        "ByteLevel": {"add_prefix_space": False},
    }
    return [step | switches.get(step["type"], {}) for step in steps]


def _made(kind: str, steps: list[dict[str, Any]]) -> Any:
    """Returns a part of a tokenizer that takes these steps, one after the other."""
    part = import_module(f"tokenizers.{kind}").Sequence([])
    names = {"pre_tokenizers": "pretokenizers"}
    part.__setstate__(json.dumps({"type": "Sequence", names.get(kind, kind): steps}).encode())
    return part
