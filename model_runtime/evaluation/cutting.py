"""Rules that end a completion for the model; their scores stand beside the uncut one, labelled.

    raw       nothing is cut: the model must stop by itself
    line      after the first line end, which is kept
    server    where the language server stops (decoding.stop_rules), before its filters

A rule is replayed on the stored ids token by token, as the server would have applied it while they
came.  Cutting *before* the first line end would break more than half of the single-line benchmark's
own answers, which end in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from model_runtime.decoding.stop_rules import StopRules, wants_single_line
from model_runtime.evaluation.infilling import text_of
from model_runtime.evaluation.labels import LINE, RAW, SERVER
from model_runtime.evaluation.tasks import LANGUAGE
from model_runtime.prompt.encoder import Hole
from model_runtime.prompt.tokenizer import FimTokenizer
from model_runtime.syntax.languages import language


@dataclass(frozen=True, slots=True)
class HoleContext:
    """What a rule may know of the hole."""

    hole: Hole
    is_whole_lines: bool
    """The benchmark cut out whole lines, so the answer has to end in a line end."""


Cutter = Callable[[str], "str | None"]
"""From the text so far to the final text; None to go on."""


def line(_: HoleContext) -> Cutter:
    """After the first line end."""

    def cut(text: str) -> str | None:
        end = text.find("\n")
        return None if end < 0 else text[: end + 1]

    return cut


def server(place: HoleContext) -> Cutter:
    """Where the server stops.

    An editor's cursor stands before a line end.  Where the benchmark cut out whole lines, the rules
    therefore get that line end as the first character after the cursor, and it is put back.
    """
    hole, end = place.hole, ""
    if place.is_whole_lines:
        hole, end = Hole(hole.prefix, "\n" + hole.suffix), "\n"
    python = language(LANGUAGE)
    rules = StopRules(hole, wants_single_line(hole, language=python), python)

    def cut(text: str) -> str | None:
        found = rules.cut(text)
        return None if found is None else text[: found.offset] + end

    return cut


RULES: dict[str, Callable[[HoleContext], Cutter]] = {LINE: line, SERVER: server}
"""Every rule of `labels.CUT_RULES` by its name."""


def apply(
    rule: str, place: HoleContext, tokenizer: FimTokenizer, ids: Sequence[int], text: str
) -> str:
    """The text of `ids` as `rule` leaves it; `text` is the uncut one.

    Ids may begin with what stands before the cursor on its line, which `text` does not.
    """
    if rule == RAW:
        return text
    cut = RULES[rule](place)
    typed = len(text_of(tokenizer, ids)) - len(text)
    for length in range(1, len(ids) + 1):
        shortened = cut(text_of(tokenizer, ids[:length])[typed:])
        if shortened is not None:
            return shortened
    return text
