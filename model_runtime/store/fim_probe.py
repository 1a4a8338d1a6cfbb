"""Proves that a model fills holes when it is prompted in a given format, with planted lines.

A tokenizer may own a format's tokens though no training has ever used them, and a model that reads
another order answers all the same, only badly.  Both are seen where the hole is a line whose text
stands elsewhere in the file, so that every language model could copy it.  What is asked depends on
what a model would do that takes the sentinels for nothing:

- Where the suffix stands last, it would go on with the suffix.  So the line counts as filled when
  the model writes it, id by id.  Whether it then ends is not asked: the instruction-tuned models
  among those that fill go on with the text behind the hole, which serving cuts off.
- Where the prefix stands last, it would go on with the prefix, and write the line for that reason.
  So what counts is that the answer ends behind the line and nowhere inside it, and that at least
  half of the line's ids are the model's own first choice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from model_runtime.engines.protocol import Scorer
from model_runtime.models.bundle import ModelBundle
from model_runtime.progress import advance
from model_runtime.prompt.encoder import PromptBudget, PromptEncoder, PromptRequest
from model_runtime.prompt.format import HoleStart, PromptFormat
from model_runtime.prompt.template import Slot
from model_runtime.store.planted import Planted, planted_lines

_MIN_SHARE = 0.5
"""Share of the planted lines that a model must fill: those that do fill well over half of them,
those that do not hardly any (docs/prompt-formats.md).
"""
_MAX_TOKENS = 512
"""Ids of a prompt and its line; the planted files have fewer in every tokenizer for code."""


@dataclass(frozen=True, slots=True)
class FimProbe:
    """Says how many planted lines a model has filled."""

    filled: int
    planted: int

    @property
    def passes(self) -> bool:
        """True where the model reads the format."""
        return self.filled >= _MIN_SHARE * self.planted


def probe(
    bundle: ModelBundle, engine: Scorer, prompt_format: PromptFormat | None = None
) -> FimProbe:
    """Asks a model for every planted line, and tells `progress` of each.

    Args:
        bundle: the model.
        engine: runs it.
        prompt_format: in place of the one that the manifest states.

    Raises:
        PromptTooLong, EngineError: as `Scorer.logprobs`.
    """
    form = replace(prompt_format or bundle.manifest.prompt, hole_start=HoleStart.CURSOR)
    encoder = PromptEncoder(bundle.tokenizer, form)
    found = list[bool]()
    for planted in (lines := list(planted_lines())):
        found.append(_is_filled(encoder, engine, planted))
        advance(len(found) / len(lines))
    return FimProbe(sum(found), len(found))


def _is_filled(encoder: PromptEncoder, engine: Scorer, planted: Planted) -> bool:
    form = encoder.format
    line = encoder.tokenizer.encode(planted.middle)
    most = min(_MAX_TOKENS, engine.context_length) - len(line) - 1
    prompt = encoder.prompt(PromptRequest(planted.hole), PromptBudget(most))
    scored = engine.logprobs([*prompt.ids, *line, form.end])[-len(line) - 1 :]
    best = [token.best_id for token in scored]
    right = [chosen == id_ for chosen, id_ in zip(best, line, strict=False)]
    if form.template.index(Slot.PREFIX) < form.template.index(Slot.SUFFIX):
        # The last id may join the line's end with its last character, or not.
        return all(right[:-1])
    ends = [id_ in form.stop_ids for id_ in best]
    return ends[-1] and not any(ends[:-1]) and 2 * sum(right) >= len(right)
