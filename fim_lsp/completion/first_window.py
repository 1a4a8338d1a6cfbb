"""Lets a slow model begin with a few lines where it would have to read a whole window first.

A jump, or a document that has just been opened, leaves hundreds of ids to read, which takes a model
of half a billion weights a second or two on a processor.  The lines nearest to the cursor are read
in a quarter of that, and say most of what the model needs.  So typing there is answered from a
short prompt at first; the whole one is read in the next pause, and from then on it is the one that
costs its new ids alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from model_runtime.engines.abilities import Unread
from model_runtime.engines.protocol import Engine
from model_runtime.prompt.encoder import Prompt

MAX_SECONDS = 0.25
"""Time to read a prompt, up to which it is not worth a shorter one."""
MIN_TOKENS = 96
"""Fewest ids of a short prompt, for the first token of an empty one says nothing."""
MAX_SHORT = 16
"""Short prompts in a row: where no pause comes, or nothing may be done in one, the whole prompt is
read at last while somebody waits."""


class FirstWindow:
    """Chooses between the whole prompt and a short one, for one editor."""

    def __init__(self) -> None:
        self._uri = ""
        self._num_short = 0

    def tokens(self, engine: Engine, whole: Prompt, uri: str) -> int:
        """Returns the most ids of a shorter prompt; 0 for the whole one.

        Args:
            engine: tells what it keeps, or is asked for the whole prompt always.
            whole: the prompt as it should be.
            uri: of the document that it is for.
        """
        # Asked for at every key; to look whether it is a `ReadingClock` takes far longer.
        unread: Callable[[Sequence[int]], Unread] | None = getattr(engine, "unread", None)
        if unread is None:
            return 0
        ids, seconds = unread(whole.ids)
        tokens = max(MIN_TOKENS, int(ids * MAX_SECONDS / seconds)) if seconds else 0
        if uri != self._uri:
            self._uri, self._num_short = uri, 0
        if seconds <= MAX_SECONDS or 2 * tokens > ids or self._num_short >= MAX_SHORT:
            self._num_short = 0
            return 0
        self._num_short += 1
        return tokens
