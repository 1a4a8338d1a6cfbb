"""Finds out in which form a model should be asked.

The hole begins at the cursor or at the start of its line; and the sentinels of a format whose
suffix stands last also work in another order, which a model may follow better.  It completes lines
at cursors inside them, in every form; the one in which it writes most of what stands there is kept
in its manifest.  Nothing of this is guessed from a model's name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from pathlib import Path

from model_runtime.decoding.generate import generate_text
from model_runtime.decoding.stop_rules import StopRules
from model_runtime.engines import open_engine, registry
from model_runtime.engines.protocol import Engine, SamplingParams
from model_runtime.models.bundle import ModelBundle, make_canary, write_manifest
from model_runtime.progress import advance
from model_runtime.prompt.encoder import (
    MAX_REREAD_TOKENS,
    Hole,
    PromptBudget,
    PromptEncoder,
    PromptRequest,
)
from model_runtime.prompt.format import HoleStart, PromptFormat
from model_runtime.prompt.orders import suffix_first

_NEW_TOKENS = 16
_LINES, _COLUMNS = 2, 24
"""Steps from one cursor to the next."""
_PREFERENCE = 0.02
"""Similarity by which the cursor must be better to be chosen: it costs more ids at every key."""

_TEXT = '''\
import json
from pathlib import Path


class Shelf:
    """Keeps items by name and writes them to a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.items = {}

    def load(self) -> None:
        with open(self.path) as file:
            self.items = json.load(file)

    def save(self) -> None:
        with open(self.path, "w") as file:
            json.dump(self.items, file)

    def add(self, name, price):
        if name in self.items:
            raise KeyError(name)
        self.items[name] = price

    def remove(self, name):
        if name not in self.items:
            raise KeyError(name)
        del self.items[name]

    def total(self):
        result = 0
        for name in self.items:
            result += self.items[name]
        return result

    def names(self):
        return sorted(self.items)


def main():
    shelf = Shelf(Path("shelf.json"))
    shelf.load()
    for name in shelf.names():
        print(name, shelf.items[name])
    print("total", shelf.total())


if __name__ == "__main__":
    main()
'''


@dataclass(frozen=True, slots=True)
class FormScore:
    """Says how well a model completes lines in one form."""

    prompt: PromptFormat
    similarity: float
    """Mean of difflib's ratio between what it wrote and what stands there, 0 to 1."""


def forms_of(prompt_format: PromptFormat) -> tuple[PromptFormat, ...]:
    """Returns the forms in which a model of this format may be asked.

    They are the format with either beginning of the hole and, where its prefix stands before its
    suffix, the same sentinels with the suffix in front and the hole at the line's start.
    """
    forms = tuple(replace(prompt_format, hole_start=one) for one in HoleStart)
    template = suffix_first(prompt_format.template)
    if template is None:
        return forms
    return (*forms, replace(prompt_format, template=template, hole_start=HoleStart.LINE))


def choose_hole_start(folder: Path) -> HoleStart:
    """Measures the bundle in a folder and writes the better beginning of holes into its manifest.

    Raises:
        ModelRuntimeError: the bundle cannot be opened or run here.
        OSError: the manifest cannot be written.
    """
    bundle = ModelBundle.open(folder)
    engine = open_engine(bundle, engine=registry.reference())
    forms = [replace(bundle.manifest.prompt, hole_start=one) for one in HoleStart]
    try:
        best = measure_forms(bundle, engine, forms)[0].prompt
    finally:
        engine.close()
    with_format(bundle, best)
    return best.hole_start


def measure_forms(
    bundle: ModelBundle, engine: Engine, forms: Sequence[PromptFormat]
) -> list[FormScore]:
    """Completes some fifteen places of a small Python file in each form, the best one first.

    The start of the line comes first where two are nearly alike: a key then costs fewer ids.
    `progress` is told of each place.

    Raises:
        PromptTooLong, EngineError: as `Engine.generate`.
    """
    scores, holes, num_done = [], list(_holes()), 0
    for form in forms:
        encoder = PromptEncoder(bundle.tokenizer, form)
        found = list[float]()
        for hole, rest in holes:
            written = _written(bundle, engine, encoder, hole)
            found.append(SequenceMatcher(None, written, rest).ratio())
            num_done += 1
            advance(num_done / (len(holes) * len(forms)))
        scores.append(FormScore(form, sum(found) / len(found)))
    return sorted(scores, key=_merit, reverse=True)


def with_format(bundle: ModelBundle, prompt_format: PromptFormat) -> ModelBundle:
    """Writes a format, and a canary in it, into the manifest of a bundle, and opens it again.

    Raises:
        OSError: the manifest cannot be written.
    """
    encoder = PromptEncoder(bundle.tokenizer, prompt_format)
    changed = replace(bundle.manifest, prompt=prompt_format, canary=make_canary(encoder))
    write_manifest(bundle.path, changed.to_json())
    return ModelBundle.open(bundle.path)


def _merit(score: FormScore) -> float:
    return score.similarity + _PREFERENCE * (score.prompt.hole_start is HoleStart.LINE)


def _holes() -> Iterator[tuple[Hole, str]]:
    """Yields cursors inside lines, each with the rest of its line."""
    lines = _TEXT.splitlines(keepends=True)
    for number, line in list(enumerate(lines))[::_LINES]:
        start = len(line) - len(line.lstrip())
        for column in range(start + 1 + number % 5, len(line) - 3, _COLUMNS):
            before = "".join(lines[:number]) + line[:column]
            yield Hole(before, "\n" + "".join(lines[number + 1 :])), line[column:-1]


def _written(bundle: ModelBundle, engine: Engine, encoder: PromptEncoder, hole: Hole) -> str:
    budget = PromptBudget(engine.context_length - _NEW_TOKENS, reread_tokens=MAX_REREAD_TOKENS)
    prompt = encoder.prompt(PromptRequest(hole), budget)
    generation = generate_text(
        engine,
        bundle.tokenizer,
        prompt.ids,
        SamplingParams(_NEW_TOKENS, bundle.stop_ids),
        forced_text=prompt.forced_text,
        stop_strings=bundle.manifest.prompt.stop_strings,
        stop=StopRules(hole, single_line=True).cut,
    )
    return generation.text
