"""Text <-> ids, with the promise that user text can never become a sentinel.

A thin shell around `tokenizers.Tokenizer` that sets the switches which training, evaluation and
serving must share: special tokens are not recognised inside text, no normaliser changes the text,
nothing is added around it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from model_runtime.errors import BundleError, shown
from model_runtime.fim_format import FimTokens
from model_runtime.model_files import MAX_TOKENIZER_BYTES, UnusableFile, size_of

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SEED_SENTINELS = ("<|SUF|>", "<|PRE|>", "<|MID|>")
"""Added to the GPT-NeoX-20B tokenizer in this order they get the ids 50277, 50278, 50279."""

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class FimTokenizer:
    """Encodes and decodes plain text.  Sentinels exist only as ids, in `fim_format`."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        tokenizer.encode_special_tokens = True  # text that spells a sentinel stays text
        # NFC (GPT-NeoX-20B) would change what the user wrote; text that is NFC already encodes the
        # same.
        tokenizer.normalizer = None
        tokenizer.post_processor = None  # it would trim white space off the offsets
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer

    @classmethod
    def from_file(cls, path: Path) -> FimTokenizer:
        """Read a `tokenizer.json`.

        Raises:
            BundleError: the file is missing or is not a tokenizer.
        """
        from tokenizers import Tokenizer

        try:
            size_of(path, MAX_TOKENIZER_BYTES)
        except FileNotFoundError as error:
            raise BundleError(f"{path} is missing; add the model again") from error
        except (OSError, UnusableFile) as error:
            raise BundleError(f"{path} cannot be used: {error}; add the model again") from error
        try:
            return cls(Tokenizer.from_file(str(path)))
        except Exception as error:  # the library raises bare Exception
            raise BundleError(f"{path} is not a readable tokenizer ({error})") from error

    @property
    def size(self) -> int:
        """Number of ids, special ones included."""
        return int(self._tokenizer.get_vocab_size())

    def encode(self, text: str) -> list[int]:
        """Ids of `text`.  A lone surrogate, which UTF-8 cannot hold, counts as U+FFFD."""
        return list(self._tokenizer.encode(_encodable(text), add_special_tokens=False).ids)

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """`encode` of many texts at once; faster for training."""
        encodings = self._tokenizer.encode_batch_fast(
            [_encodable(text) for text in texts], add_special_tokens=False
        )
        return [encoding.ids for encoding in encodings]

    def encode_with_offsets(self, text: str) -> tuple[list[int], list[int]]:
        """Ids, and for each the offset in `text` (code points) at which it begins."""
        encoding = self._tokenizer.encode(_encodable(text), add_special_tokens=False)
        return list(encoding.ids), [start for start, _ in encoding.offsets]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids.  A UTF-8 sequence that is not finished yet shows as U+FFFD."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=False))

    def token_strings(self, count: int) -> list[str]:
        """One distinct string per id, for engines that index by string; ids beyond the end get a
        filler.
        """
        strings = [self._tokenizer.id_to_token(i) or f"<|unused {i}|>" for i in range(count)]
        if len(set(strings)) != count:
            raise BundleError("two ids of the tokenizer share one string; the tokenizer is damaged")
        return strings

    def bytes_of_ids(self) -> list[int]:
        """For each id the UTF-8 bytes of text it stands for; 0 for special tokens."""
        # A byte-level token's string has one character per byte; an added token is plain text.
        sizes = [len(self._tokenizer.id_to_token(id_) or "") for id_ in range(self.size)]
        for id_, token in self._tokenizer.get_added_tokens_decoder().items():
            sizes[id_] = 0 if token.special else len(token.content.encode())
        return sizes

    def id_of(self, token: str) -> int | None:
        """Id of a token by its exact string, special or not."""
        id_ = self._tokenizer.token_to_id(token)
        return None if id_ is None else int(id_)

    def check_sentinels(self, tokens: FimTokens) -> None:
        """Every sentinel is one special token of this tokenizer.

        Raises:
            BundleError: an id is unknown, or is an ordinary piece of text (the fault of the seed's
            first release).
        """
        added: Mapping[int, object] = self._tokenizer.get_added_tokens_decoder()
        for id_ in tokens.all():
            entry = added.get(id_)
            if entry is None or not getattr(entry, "special", False):
                found = self._tokenizer.id_to_token(id_) if 0 <= id_ < self.size else None
                raise BundleError(
                    f"sentinel id {shown(id_)} is {shown(found)} in this tokenizer, not a special "
                    "token; the tokenizer and the manifest do not belong together"
                )

    def save(self, path: Path) -> None:
        """Write `tokenizer.json`."""
        self._tokenizer.save(str(path), pretty=False)


def with_sentinels(path: Path, sentinels: Sequence[str] = SEED_SENTINELS) -> FimTokenizer:
    """A tokenizer file with these special tokens; those that it lacks get the next ids.

    The GPT-NeoX-20B file with the seed's three is a tokenizer of 50,280 ids.
    """
    from tokenizers import AddedToken, Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in sentinels]
    )
    return FimTokenizer(tokenizer)


def _encodable(text: str) -> str:
    return _LONE_SURROGATE.sub("\ufffd", text) if not text.isascii() else text
