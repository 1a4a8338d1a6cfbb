"""Finds the hole that a request wants filled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fim_lsp.completion.request import CompletionRequest
from fim_lsp.suggestion import Completion, SelectedSuggestion
from model_runtime.decoding.stop_rules import is_closing_tail, rest_of_line
from model_runtime.prompt.encoder import Hole


def hole_of(request: CompletionRequest) -> tuple[Hole, int]:
    """Returns the hole to fill, and the offset in the document that the model's text goes to.

    With an entry of the suggest popup selected, that is the end of what the entry replaces, and the
    model sees the document with the entry in it.
    """
    snapshot, selected = request.snapshot, request.selected
    if selected is None:
        return snapshot.hole, snapshot.offset
    text = snapshot.text
    return Hole(text[: selected.start] + selected.text, text[selected.end :]), selected.end


def behind_selected(
    completions: Sequence[Completion], entry: SelectedSuggestion | None
) -> list[Completion]:
    """Returns completions with the selected entry of the popup before them, if there is one."""
    if entry is None:
        return list(completions)
    return [
        replace(completion, text=entry.text + completion.text, start=entry.start)
        for completion in completions
    ]


def without_closers(hole: Hole) -> Hole:
    r"""Returns the hole less the closers right of the cursor, where nothing else stands there.

    >>> without_closers(Hole("f(", ")\n")).suffix
    '\n'
    """
    rest = rest_of_line(hole)
    is_tail = bool(rest.strip()) and is_closing_tail(rest)
    return Hole(hole.prefix, hole.suffix[len(rest) :]) if is_tail else hole


def normal_line_ends(hole: Hole) -> Hole:
    r"""Returns the hole with \n alone; editors write the document's own line ends."""
    if "\r" not in hole.prefix and "\r" not in hole.suffix:
        return hole
    return Hole(_without_returns(hole.prefix), _without_returns(hole.suffix))


def _without_returns(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
