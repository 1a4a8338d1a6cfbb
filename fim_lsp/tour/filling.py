"""Fills the gaps of the tour's file, whatever was suggested there and taken."""

from __future__ import annotations

import os

from fim_lsp.tour.pane import Pane
from fim_lsp.tour.script import Step


async def complete(pane: Pane, offset: int, step: Step, pause_seconds: float) -> None:
    """Types what a gap still lacks, after taking away what does not belong into it.

    Args:
        pane: the document; its cursor is in the gap.
        offset: beginning of the gap.
        step: says what the gap holds in the end.
        pause_seconds: time between two keys.
    """
    wanted = step.typed + step.rest
    written = pane.document.before[offset:]
    right = len(os.path.commonprefix((written, wanted)))  # noqa: RUF071
    if len(written) > right:
        pane.delete(len(written) - right)
    await pane.type(wanted[right:], pause_seconds)
    pane.dismiss()


def suggestion(pane: Pane) -> str:
    """Returns what is suggested, and how long that took."""
    ghost = pane.document.ghost
    text = ghost.text.replace("\n", " ⏎ ") if ghost else ""
    return f"Suggested after {pane.answer_ms or 0:.0f} ms: «{text}»"


def silence(pane: Pane) -> str:
    """Returns why nothing is suggested, as the server tells it, and what can be done."""
    if pane.silence is None:
        return ""
    remedy = f"\nWhat to do: {pane.silence.remedy}." if pane.silence.remedy else ""
    return f"Nothing is suggested. Why: {pane.silence.reason}.{remedy}"
