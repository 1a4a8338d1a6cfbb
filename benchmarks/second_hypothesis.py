"""Measures what a second hypothesis would bring where the first one begins unsurely.

    python -m benchmarks.second_hypothesis --model NAME --holes 40

At the places of `typed_text` a model writes the rest of the line.  Where its first words are less
likely than `UNSURE_BELOW`, lines that begin otherwise are drawn, each is written to its end, and
the likelier line is taken: what a beam of two would find.  `better one` is what a judge who knows
the answer would take.
"""

from __future__ import annotations

import argparse
import math
import random
from dataclasses import dataclass, replace
from typing import Any

from benchmarks import calibration, record
from benchmarks.typed_text import Place, places
from fim_lsp.commands.replay import progress
from model_runtime.decoding.generate import Generation, generate_text
from model_runtime.decoding.stop_rules import StopRules
from model_runtime.engines.kind import EngineOptions
from model_runtime.engines.protocol import SamplingParams, Scorer
from model_runtime.evaluation.metrics import cluster_bootstrap, edit_similarity
from model_runtime.prompt.encoder import MAX_REREAD_TOKENS, Prompt, PromptBudget, PromptRequest
from model_runtime.served_model import ServedModel, serve_bundle
from model_runtime.store import installed

UNSURE_BELOW = 0.55
"""Probability of the first words below which a line may not be the likeliest one."""
_NEW_TOKENS = 40
_DRAWS = 4
"""Lines that are drawn in search of one that begins otherwise."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Holds both hypotheses of one place."""

    place: Place
    first_words: float
    """Probability of the first words."""
    greedy: str
    second: str
    """The likeliest line that begins otherwise; as `greedy` where there is none."""
    is_second_likelier: bool

    def similarity(self, text: str) -> float:
        """Returns the edit similarity of a text with what stands at the place."""
        return edit_similarity(text.strip(), self.place.answer.strip())


def first_words(generation: Generation) -> float:
    """Returns the probability of a text up to its first three visible characters."""
    total = 0.0
    for end, logprob in zip(generation.ends, generation.logprobs, strict=False):
        total += logprob
        if len(generation.decoded[:end].split()) > 1 or len(generation.decoded[:end].strip()) > 2:
            break
    return math.exp(total)


def answer(model: ServedModel, place: Place) -> Answer:
    """Writes both hypotheses at a place."""
    prompt = model.encoder.prompt(
        PromptRequest(place.hole, path=place.file),
        PromptBudget(512, reread_tokens=MAX_REREAD_TOKENS),
    )
    greedy = SamplingParams(_NEW_TOKENS, model.stop_ids)
    best = _line(model, prompt, place, greedy)
    sure = first_words(best)
    texts: list[str] = []
    if sure < UNSURE_BELOW:
        for seed in range(_DRAWS):
            drawn = _line(model, prompt, place, replace(greedy, temperature=1.0, seed=seed))
            start = drawn.text[: drawn.ends[0]] if drawn.ends else ""
            if start and not best.text.startswith(start):
                texts.append(start + _line(model, prompt, place, greedy, start).text)
    if not texts:
        return Answer(place, sure, best.text, best.text, is_second_likelier=False)
    likelihood = {text: _logprob(model, prompt, text) for text in {best.text, *texts}}
    second = max(texts, key=likelihood.__getitem__)
    is_likelier = likelihood[second] > likelihood[best.text]
    return Answer(place, sure, best.text, second, is_second_likelier=is_likelier)


def _line(
    model: ServedModel, prompt: Prompt, place: Place, sampling: SamplingParams, start: str = ""
) -> Generation:
    """Writes the rest of the line, which begins with `start`."""
    return generate_text(
        model.engine,
        model.tokenizer,
        prompt.ids,
        sampling,
        forced_text=prompt.forced_text + start,
        stop_strings=model.encoder.format.stop_strings,
        stop=StopRules(place.hole, single_line=True, language=place.language).cut,
    )


def _logprob(model: ServedModel, prompt: Prompt, text: str) -> float:
    """Returns the log-probability of the text that is not settled, with the line's end."""
    engine = model.engine
    assert isinstance(engine, Scorer)
    ids = model.tokenizer.encode(f"{prompt.forced_text}{text}\n")
    scored = engine.logprobs([*prompt.ids, *ids])
    return sum(one.logprob for one in scored[len(prompt.ids) - 1 :])


def figures(answers: list[Answer]) -> dict[str, Any]:
    """Returns how much better than the first one the other choices are."""
    names = [one.place.file for one in answers]
    of_file = [names.index(name) for name in names]
    ways = {
        "first": [one.greedy for one in answers],
        "likelier one": [one.second if one.is_second_likelier else one.greedy for one in answers],
        "better one": [max(one.greedy, one.second, key=one.similarity) for one in answers],
    }
    found: dict[str, Any] = {"holes": len(answers)}
    base = [one.similarity(one.greedy) for one in answers]
    for name, texts in ways.items():
        values = [one.similarity(text) for one, text in zip(answers, texts, strict=True)]
        gains = [value - other for value, other in zip(values, base, strict=True)]
        found[name] = {
            "edit_similarity": round(sum(values) / len(values), 4),
            "more": cluster_bootstrap(gains, of_file)._asdict(),
            "exact": round(sum(value == 1 for value in values) / len(values), 4),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default=installed.DEFAULT, metavar="NAME")
    parser.add_argument("--holes", type=int, default=40, metavar="N", help="of each kind")
    args = parser.parse_args()
    model = serve_bundle(installed.find(args.model), "onnx", EngineOptions(threads=1))
    files = [*calibration.held_out_files(), *calibration.held_out_files_of_other_languages()]
    random.Random(0).shuffle(files)
    kinds: dict[str, list[Place]] = {}
    for place in (one for path in files for one in places(path)):
        if len(of_kind := kinds.setdefault(place.kind, [])) < args.holes:
            of_kind.append(place)
    work = [place for of_kind in kinds.values() for place in of_kind]
    answers: list[Answer] = []
    with progress() as bar:
        task = bar.add_task("", total=len(work))
        for place in work:
            answers.append(answer(model, place))
            bar.update(task, advance=1, description=place.kind)
    unsure = [one for one in answers if one.first_words < UNSURE_BELOW]
    found = {
        "all": figures(answers),
        "unsure": figures(unsure),
        "second_is_likelier": sum(one.is_second_likelier for one in unsure),
    }
    print(found)
    command = f"python -m benchmarks.second_hypothesis --model {args.model} --holes {args.holes}"
    record.write(f"second_hypothesis_{args.model}", found, command)


if __name__ == "__main__":
    main()
