"""Tells, while the model still writes, the text that the suggestion is certain to begin with.

Whoever streams an answer must never take back what was sent.  The rules for later lines depend on
what follows them: syntax errors, repetitions and comments that lead nowhere cut whole lines again.
The first line alone is settled as soon as another one has begun.
"""

from __future__ import annotations

from collections.abc import Callable

from fim_lsp.completion.language_filters import is_too_short
from fim_lsp.completion.request import OnSureText
from model_runtime.decoding.stop_rules import StopStrings, rest_of_line
from model_runtime.prompt.encoder import Hole


class SureText:
    """The settled beginning of one suggestion, told once."""

    def __init__(
        self,
        hole: Hole,
        clean: Callable[[str], str],
        stop_strings: tuple[str, ...],
        on_sure_text: OnSureText | None,
    ) -> None:
        """Takes what the filters will know of the place.

        Args:
            hole: the place that the suggestion is for.
            clean: returns what the filters leave of a line.
            stop_strings: texts that end the suggestion.
            on_sure_text: takes the text; None where nobody wants it.
        """
        self._clean = clean
        self._stops = StopStrings(stop_strings)
        # Before text on the cursor's line a suggestion may still shrink to what fits there.
        self._on_sure_text = None if rest_of_line(hole).strip() else on_sure_text

    def look_at(self, text: str) -> None:
        """Tells the first line of a text that no rule has ended, if another line has begun."""
        if self._on_sure_text is None:
            return
        first, _, others = text.partition("\n")
        if not others.strip():
            return
        if settled := self._settled(first, text):
            self._on_sure_text(settled)
        self._on_sure_text = None

    def _settled(self, first: str, text: str) -> str:
        """Returns what every continuation of `text` keeps of its first line; empty for nothing."""
        cut = self._stops.cut(text) or self._stops.cut_at_end(text)
        first = first if cut is None else first[: cut.offset]
        kept = self._clean(first).rstrip()
        return "" if is_too_short(kept) else kept
