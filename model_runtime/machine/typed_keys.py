"""Counts of a typist's keys: how many ids the model read and wrote for each.

Qwen2.5-Coder-0.5B was typed with `fim-lsp replay --fast` into the middle of seven files of the
frozen set, 100 keys of each: Python, TypeScript, C and Go, with suggestions taken as they came.
Counted are the keys after which a text came; two in three had theirs from an answer before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from model_runtime.prompt.encoder import MAX_REREAD_TOKENS

MAX_SPELLED = 32
"""Most ids that are run while what is typed on a line is spelled; what is longer is a text."""
_LINE = 15
"""Ids of a line that was finished, about."""


@dataclass(frozen=True, slots=True)
class Key:
    """The model's work for one key after which a text came."""

    read: int
    """Ids that it read; 0 where the text was known before."""
    written: int
    """Ids that it wrote."""
    is_spelled: bool = True
    """Whether decoding had to agree with what is typed on the line: ids that it read were then run
    one by one, for each is chosen among those that agree with the text."""


_KNOWN = (173, 0, 0)
_IN_A_LINE = (
    (14, 1, 3), (9, 1, 6), (6, 1, 16), (8, 2, 2), (8, 3, 5), (4, 3, 14), (5, 6, 3), (2, 6, 5),
    (2, 4, 20), (2, 12, 2), (3, 13, 5), (1, 15, 9),
)  # fmt: skip
_NEW_LINE = ((2, 52, 3), (4, 45, 5), (3, 53, 12), (2, 98, 2), (4, 108, 6), (2, 112, 16))
"""Enter: the line before it and the text behind the cursor are read."""


def typed_keys(*, is_suffix_first: bool, rereads_suffix: bool = False) -> tuple[Key, ...]:
    """Returns the keys of a typist with a model.

    Args:
        is_suffix_first: whether the text behind the cursor stands first in the prompt, so that a
            new line does not change what stands before it.
        rereads_suffix: whether the text behind the cursor is read again at every key.
    """
    known, in_a_line = _keys((_KNOWN,)), _keys(_IN_A_LINE)
    new_line = tuple(replace(key, is_spelled=False) for key in _keys(_NEW_LINE))
    if is_suffix_first:
        new_line = tuple(replace(key, read=_LINE) for key in new_line)
    if rereads_suffix:
        in_a_line = tuple(replace(key, read=key.read + MAX_REREAD_TOKENS) for key in in_a_line)
    return (*known, *in_a_line, *new_line)


def _keys(counts: tuple[tuple[int, int, int], ...]) -> tuple[Key, ...]:
    """Returns the keys of a table: how many there were, ids read, ids written."""
    return tuple(Key(read, written) for number, read, written in counts for _ in range(number))
