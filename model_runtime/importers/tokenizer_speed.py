"""Refuses a tokenizer that takes too long for a text, before anybody types with it.

Patterns that split a text may be written so that they try all ways to read it; the library ends
some of those, and takes seconds for others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from model_runtime.errors import BundleError, ConversionError
from model_runtime.prompt.tokenizer import FimTokenizer

MAX_SECONDS = 1.0
"""Seconds for all of the texts; the GPT-NeoX-20B tokenizer takes a hundredth."""
_CHARACTERS = 4000
_PIECES = (
    "a",
    "A",
    "0",
    " ",
    "\n",
    "\t",
    "_",
    "(",
    '"',
    "\\",
    "ä",
    "汉",
    "aA0 ",
    "a_",
    "() ",
    "\r\n",
)
"""Pieces of texts that patterns for code, prose and numbers begin to match over and over."""


def check_speed(tokenizer: FimTokenizer, clock: Callable[[], float] = time.process_time) -> None:
    """Checks that texts made of one piece over and over are split in time.

    Raises:
        ConversionError: they are not.
    """
    started = clock()
    for text in _texts():
        try:
            tokenizer.encode(text)
        except BundleError as error:
            raise ConversionError(str(error)) from error
        if (seconds := clock() - started) > MAX_SECONDS:
            raise ConversionError(
                f"the tokenizer takes {seconds:.1f} s for a text of {len(text):,} characters; get "
                "another version of the model"
            )


def _texts() -> Iterator[str]:
    """Yields short texts first: an exponential pattern shows itself early."""
    for length in (30, 300, _CHARACTERS):
        for piece in _PIECES:
            text = piece * (length // len(piece))
            yield text
            yield f"{text}!"
