"""Cuts holes at the level of the context (arXiv:2207.14255, section 4.4), as the reference model
did.

Documents follow each other with END between them, and their concatenation is cut into rows.  Each
document's piece of a row may have a hole, so no hole is cut by the edge of a row, none reaches into
another document, and every piece with a hole ends with END.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from model_runtime.training.encode import Encoder, Example

MIN_TEXT_IDS = 16
"""Fewest ids of text for which a row still has room; a row with less is full."""


def contexts(encoder: Encoder, numbers: Iterable[int], epoch: int) -> Iterator[list[Example]]:
    """Yields rows of consecutive documents: the examples of each row, in order."""
    row: list[Example] = []
    room = encoder.context
    places = reserved(encoder)
    for number in numbers:
        reading = encoder.read(number, epoch)
        at = 0
        while reading is not None and at < len(reading.text):
            if room < MIN_TEXT_IDS + places:
                yield row
                row, room = [], encoder.context
            end = piece_end(encoder, reading.text, at, room - places)
            for sequence in encoder.of_window(reading, (at, end), encoder.context, begins=not row):
                if len(sequence.ids) > room:  # the hole has made more tokens than foreseen
                    yield row
                    row, room = [], encoder.context
                row.append(sequence)
                room -= len(sequence.ids)
            at = end
    if row:
        yield row


def reserved(encoder: Encoder) -> int:
    """Returns the number of ids that a piece needs beside its text.

    They are those of the sentinels and END, and some for the two tokens that a hole cuts in pieces.
    """
    return max(prompts.fixed_tokens for prompts in encoder.prompts.values()) + 1 + 12


def piece_end(encoder: Encoder, text: str, start: int, max_tokens: int) -> int:
    """Returns the end of a piece of about so many ids: an offset between any two characters."""
    size = 4 * max_tokens
    while True:
        ids, begins = encoder.tokenizer.encode_with_offsets(text[start : start + size])
        if len(ids) > max_tokens:
            return start + max(1, begins[max_tokens])
        if start + size >= len(text):
            return len(text)
        size *= 2
