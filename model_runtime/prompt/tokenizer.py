"""Text <-> ids, with the promise that user text can never become a sentinel.

A thin shell around `tokenizers.Tokenizer` that sets the switches which training, evaluation and
serving must share: special tokens are not recognised inside text, no normalizer changes the text,
nothing is added around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_runtime.errors import BundleError, brief, shown
from model_runtime.model_files import MAX_TOKENIZER_BYTES, UnusableFile, size_of
from model_runtime.prompt.forced_text import ForcedText, TokenTexts
from model_runtime.prompt.token_spelling import (
    METASPACE,
    METASPACE_AS_BYTES,
    Spelling,
    write_exactly,
)

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SEED_SENTINELS = ("<|SUF|>", "<|PRE|>", "<|MID|>")
"""Added to the GPT-NeoX-20B tokenizer in this order they get the ids 50277, 50278, 50279."""

_MAX_ID = 2**22
"""Largest id; the largest vocabularies have a quarter of a million."""
_MAX_IDS = 2**32
"""Ids are numbers of 32 bits in the library."""
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class FimTokenizer:
    """Encodes and decodes plain text.  Sentinels exist only as ids, in the prompt format."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Takes a tokenizer over and sets its switches."""
        self._spelling = write_exactly(tokenizer)
        self._tokenizer = tokenizer
        self._mark_ids: list[int] = []
        """Ids of a mark for spaces that is part of a text; none where it cannot be told apart."""
        if self._spelling is Spelling.METASPACE:
            found: list[Any] = [tokenizer.token_to_id(token) for token in METASPACE_AS_BYTES]
            self._mark_ids = found if all(id_ is not None for id_ in found) else []

    @classmethod
    def from_file(cls, path: Path) -> FimTokenizer:
        """Reads a `tokenizer.json`.

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
            with _failures_told():
                return cls(Tokenizer.from_file(str(path)))
        except BundleError:
            raise
        except Exception as error:  # the library raises bare Exception
            problem = brief(str(error))
            raise BundleError(f"{path} is not a readable tokenizer ({problem})") from error

    @property
    def size(self) -> int:
        """Number of ids, special ones included."""
        return int(self._tokenizer.get_vocab_size())

    def encode(self, text: str) -> list[int]:
        """Returns the ids of `text`.  A lone surrogate, which UTF-8 cannot hold, is U+FFFD.

        Raises:
            BundleError: the tokenizer has a pattern that the library gives up on.
        """
        if self._has_mark(text):
            return self.encode_with_offsets(text)[0]
        with _failures_told():
            return list(self._tokenizer.encode(_encodable(text), add_special_tokens=False).ids)

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Returns the ids of many texts; faster for training than one by one."""
        if any(map(self._has_mark, texts)):
            return [self.encode(text) for text in texts]
        encodings = self._tokenizer.encode_batch_fast(
            [_encodable(text) for text in texts], add_special_tokens=False
        )
        return [encoding.ids for encoding in encodings]

    def encode_with_offsets(self, text: str) -> tuple[list[int], list[int]]:
        """Returns ids, and for each the offset in `text` (code points) at which it begins."""
        ids: list[int] = []
        offsets: list[int] = []
        start = 0
        for piece in self._pieces(_encodable(text)):
            if piece == METASPACE and self._mark_ids:
                ids += self._mark_ids
                offsets += [start] * len(self._mark_ids)
            elif piece:
                with _failures_told():
                    encoding = self._tokenizer.encode(piece, add_special_tokens=False)
                ids += encoding.ids
                offsets += [start + first for first, _ in encoding.offsets]
            start += len(piece)
        return ids, offsets

    def decode(self, ids: Sequence[int]) -> str:
        """Returns the text of ids.  A UTF-8 sequence that is not finished yet shows as U+FFFD."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=False))

    def text_stream(self) -> TextStream:
        """Returns a stream that decodes ids as they come."""
        return TextStream(self._tokenizer)

    def bytes_of_ids(self) -> list[int]:
        """Returns for each id the number of UTF-8 bytes it stands for; 0 for special tokens."""
        return [len(text) for text in self.token_texts.texts]

    @cached_property
    def token_texts(self) -> TokenTexts:
        """The UTF-8 bytes that each id stands for; none for special tokens.

        Raises:
            BundleError: an id is so large that a table of all would fill the memory.
        """
        vocabulary = self._tokenizer.get_vocab(with_added_tokens=False)
        added_tokens = self._tokenizer.get_added_tokens_decoder()
        # Some ids may stand for nothing, so that the last id exceeds the number of tokens.
        last = max((*vocabulary.values(), *added_tokens), default=-1)
        if last > _MAX_ID:
            raise BundleError(f"the tokenizer has the id {last}; get another version of the model")
        texts = [b""] * (1 + last)
        for token, id_ in vocabulary.items():
            texts[id_] = self._spelling.bytes_of(token)
        is_metaspace = self._spelling is Spelling.METASPACE
        for id_, added in added_tokens.items():
            spelling = self._spelling if is_metaspace else Spelling.PLAIN
            texts[id_] = b"" if added.special else spelling.bytes_of(added.content)
        return TokenTexts(texts)

    def forced(self, text: str) -> ForcedText:
        """Returns the constraint that what is decoded begins with `text`."""
        return ForcedText.of(self.token_texts, _encodable(text), self.encode)

    def id_of(self, token: str) -> int | None:
        """Returns the id of a token by its exact string, special or not."""
        id_ = self._tokenizer.token_to_id(token)
        return None if id_ is None else int(id_)

    def token_of(self, id_: int) -> str:
        """Returns the exact string of a token; empty for an id outside of the vocabulary."""
        return self._tokenizer.id_to_token(id_) or "" if 0 <= id_ < _MAX_IDS else ""

    def check_special_ids(self, ids: Iterable[int]) -> None:
        """Checks that each of these ids is one special token of this tokenizer.

        Raises:
            BundleError: an id is unknown, or is an ordinary piece of text (the fault of the seed's
            first release).
        """
        added: Mapping[int, object] = self._tokenizer.get_added_tokens_decoder()
        for id_ in sorted(ids):
            entry = added.get(id_)
            if entry is None or not getattr(entry, "special", False):
                raise BundleError(
                    f"sentinel id {shown(id_)} is {shown(self.token_of(id_) or None)} in this "
                    "tokenizer, not a special token; the tokenizer and the manifest do not belong "
                    "together: add the model again"
                )

    def save(self, path: Path) -> None:
        """Writes `tokenizer.json`."""
        self._tokenizer.save(str(path), pretty=False)

    def _has_mark(self, text: str) -> bool:
        """Tells whether a text holds the mark that stands for a space in tokens."""
        return bool(self._mark_ids) and METASPACE in text

    def _pieces(self, text: str) -> Iterator[str]:
        """Yields a text in pieces, with the mark that stands for a space alone."""
        if not self._has_mark(text):
            yield text
            return
        for number, piece in enumerate(text.split(METASPACE)):
            if number:
                yield METASPACE
            yield piece


class TextStream:
    """Decodes ids one by one; a character comes when its last byte has come."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Begins a text."""
        from tokenizers.decoders import DecodeStream

        self._tokenizer = tokenizer
        self._make = DecodeStream
        self._stream = DecodeStream(skip_special_tokens=False)
        self._pending: list[int] = []
        """Ids of which no text has come yet."""

    def add(self, id_: int) -> str:
        """Returns the text that one more id makes known; empty inside a character."""
        self._pending.append(id_)
        try:
            text = self._stream.step(self._tokenizer, id_)
        except Exception:  # the library raises bare Exception
            # Bytes that are no UTF-8 change how the bytes before them are decoded.
            text = self._tokenizer.decode(self._pending, skip_special_tokens=False)
            self._stream = self._make(skip_special_tokens=False)
        if text is None:
            return ""
        self._pending.clear()
        return str(text)


def with_sentinels(path: Path, sentinels: Sequence[str] = SEED_SENTINELS) -> FimTokenizer:
    """Returns the tokenizer of a file with these special tokens; missing ones get the next ids.

    The GPT-NeoX-20B file with the seed's three is a tokenizer of 50,280 ids.
    """
    from tokenizers import AddedToken, Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in sentinels]
    )
    return FimTokenizer(tokenizer)


@contextmanager
def _failures_told() -> Iterator[None]:
    """Tells of what the library does with a pattern that tries too many ways to read a text.

    It panics, and Python sees that as no `Exception`: nobody would catch it.
    """
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise BundleError(
            f"the tokenizer fails on a text ({brief(str(error))}); get another version of the model"
        ) from None


def _encodable(text: str) -> str:
    return _LONE_SURROGATE.sub("\ufffd", text) if not text.isascii() else text
