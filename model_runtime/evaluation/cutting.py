"""Cuts completions by rules that end them for the model; each is scored beside the uncut one.

    raw       nothing is cut: the model must stop by itself
    line      after the first line end, which is kept
    server    where the language server stops for who asks (decoding.ending), before its filters

A rule is replayed on the stored ids token by token, as the server would have applied it while they
came.  Cutting *before* the first line end would break more than half of the single-line benchmark's
own answers, which end in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from model_runtime.decoding.ending import ending_of
from model_runtime.decoding.stop_rules import wants_single_line
from model_runtime.evaluation.infilling import text_of
from model_runtime.evaluation.labels import LINE, RAW, SERVER
from model_runtime.evaluation.tasks import LANGUAGE
from model_runtime.prompt.encoder import Hole
from model_runtime.prompt.tokenizer import FimTokenizer
from model_runtime.syntax.languages import language


@dataclass(frozen=True, slots=True)
class HoleContext:
    """Facts about a hole that a rule may use."""

    hole: Hole
    is_whole_lines: bool
    """Whether the benchmark cut out whole lines, so that the answer has to end in a line end."""


def _all(text: str) -> str:
    return text


@dataclass(frozen=True, slots=True)
class Cutter:
    """One rule for one hole."""

    so_far: Callable[[str], str | None]
    """Turns the text so far into the final text; None to go on."""
    at_end: Callable[[str], str] = _all
    """Turns a text into the final one that goes on nowhere."""


def line(_: HoleContext) -> Cutter:
    """Cuts after the first line end."""

    def cut(text: str) -> str | None:
        end = text.find("\n")
        return None if end < 0 else text[: end + 1]

    return Cutter(cut)


def server(place: HoleContext) -> Cutter:
    """Cuts where the server stops.

    An editor's cursor stands before a line end.  Where the benchmark cut out whole lines, the rules
    therefore get that line end as the first character after the cursor, and it is put back.
    """
    hole, end = place.hole, ""
    if place.is_whole_lines:
        hole, end = Hole(hole.prefix, "\n" + hole.suffix), "\n"
    python = language(LANGUAGE)
    single_line = wants_single_line(hole, language=python)
    ending = ending_of(hole, single_line, python, may_span_lines=True)

    def cut(text: str) -> str | None:
        found = ending.cut(text)
        return None if found is None else text[: found.offset] + end

    def cut_at_end(text: str) -> str:
        found = ending.cut_unended(text)
        return text if found is None else text[: found.offset] + end

    return Cutter(cut, cut_at_end)


RULES: dict[str, Callable[[HoleContext], Cutter]] = {LINE: line, SERVER: server}
"""Every rule of `labels.CUT_RULES` by its name."""


def apply(
    rule: str, place: HoleContext, tokenizer: FimTokenizer, ids: Sequence[int], text: str
) -> str:
    """Returns the text of `ids` as `rule` leaves it; `text` is the uncut one.

    The ids may begin with those of the text before the cursor on its line, which `text` lacks.
    """
    if rule == RAW:
        return text
    cut = RULES[rule](place)
    typed = len(text_of(tokenizer, ids)) - len(text)
    for length in range(1, len(ids) + 1):
        shortened = cut.so_far(text_of(tokenizer, ids[:length])[typed:])
        if shortened is not None:
            return shortened
    return cut.at_end(text)
